-- What people are told, by `vim.notify`.
local words = require('pointsman.words')

local M = {}

---@param text string
---@param level? integer
function M.tell(text, level)
  vim.notify('pointsman: ' .. text, level or vim.log.levels.INFO)
end

---@param err any
function M.failure(err)
  M.tell(words.sentence(err), vim.log.levels.ERROR)
end

return M
