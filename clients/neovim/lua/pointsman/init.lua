-- What other plugins and a user's own configuration call. Every function here reads what is kept and returns at once.
local M = {}

local connects = false

---@return table<string, any>
local function kept()
  if not package.loaded['pointsman.state'] and not connects then
    connects = true
    vim.defer_fn(function()
      if require('pointsman.config').get().connect then
        require('pointsman.connection').open(function() end)
      end
    end, 50)
  end
  return package.loaded['pointsman.state'] or {}
end

---The model that holds in this window, for a statusline: `◆ OpenRouter · sonnet`, and how long a temporary session lasts.
---Empty until something is known; the first call connects behind its back.
---@return string
function M.statusline()
  local state = kept()
  local selection = state.selection ---@type pointsman.Selection?
  if not selection then
    return ''
  end
  local config = require('pointsman.config').get()
  local icon = config.icons[selection.state] or config.icons.model
  local parts = { icon, selection.displayName ~= '' and selection.displayName or 'no model' }
  local session, left = state.session()
  if session then
    table.insert(parts, config.icons.session .. ' ' .. require('pointsman.words').duration(left))
  end
  if state.answering > 0 then
    table.insert(parts, config.icons.answering)
  end
  return table.concat(parts, ' ')
end

---The choice that holds in this window; nil before the connection is open.
---@return pointsman.Selection?
function M.selection()
  return kept().selection
end

---How many answers are under way, in all editors.
---@return integer
function M.answering()
  return kept().answering or 0
end

return M
