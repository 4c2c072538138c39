-- `:Pointsman model` and `explain`: which model holds, and where a name leads.
local say = require('pointsman.say')
local state = require('pointsman.state')
local task = require('pointsman.task')
local words = require('pointsman.words')

local M = {}

local SCOPES = { 'window', 'workspace', 'global' }

---@class pointsman.Choice
---@field model pointsman.Model
---@field provider? pointsman.ProviderInfo
---@field current boolean

---@return pointsman.Choice[]
local function choices()
  local providers, listed = {}, {}
  for _, provider in ipairs(task.call('listProviders').providers) do
    providers[provider.id] = provider
  end
  local target, listed_too = state.selection and state.selection.target, false
  for at, model in ipairs(task.call('listModels').models) do
    listed[at] = { model = model, provider = providers[model.provider], current = model.model == target }
    listed_too = listed_too or model.model == target
  end
  if target and not listed_too then
    local model = { model = target, provider = state.selection.provider, id = target, name = target, capabilities = {} }
    table.insert(listed, { model = model, provider = providers[model.provider], current = true })
  end
  local rank = { active = 1, available = 1, offline = 2, unconfigured = 3 }
  local place = {}
  for at, choice in ipairs(listed) do
    place[choice] = at
  end
  table.sort(listed, function(a, b)
    if a.current ~= b.current then
      return a.current
    end
    local left = rank[a.provider and a.provider.state] or 4
    local right = rank[b.provider and b.provider.state] or 4
    return left == right and place[a] < place[b] or left < right
  end)
  return listed
end

---One line for each choice, its parts under one another.
---@param listed pointsman.Choice[]
---@return table<pointsman.Choice, string>
local function told(listed)
  local rows = vim.tbl_map(function(choice) ---@param choice pointsman.Choice
    local model, provider = choice.model, choice.provider
    local trouble = provider and provider.state ~= 'available' and provider.state ~= 'active' and provider.state or ''
    local window = model.contextWindow and (words.tokens(model.contextWindow) .. ' context') or ''
    return { choice.current and '●' or ' ', model.model, words.price(model.price), window, trouble }
  end, listed)
  local lines, by_choice = words.columns(rows), {}
  for at, choice in ipairs(listed) do
    by_choice[choice] = lines[at]
  end
  return by_choice
end

---Of those who have a key or need none; the others only where they are asked for.
---@param choice pointsman.Choice
local function usable(choice)
  return choice.current or (choice.provider and choice.provider.state ~= 'unconfigured')
end

---@param all boolean
---@return pointsman.Choice?
local function pick(all)
  local every = choices()
  local listed = all and every or vim.tbl_filter(usable, every)
  local left_out = #every - #listed
  if #every == 0 then
    error({ message = 'No models are listed.', advice = ':Pointsman providers! says what is missing.' }, 0)
  end
  local described = told(listed)
  if left_out > 0 then
    local more = {}
    described[more] = ('… and %d of providers without a key'):format(left_out)
    table.insert(listed, more)
  end
  local picked = task.pick(listed, {
    prompt = 'Model',
    kind = 'pointsman_model',
    format_item = function(choice)
      return described[choice]
    end,
  })
  if picked and not picked.model then
    return pick(true)
  end
  return picked
end

---@param arguments pointsman.Arguments
function M.model(arguments)
  local model, scope = arguments.words[1], arguments.words[2]
  if scope and not vim.list_contains(SCOPES, scope) then
    error({ message = ('“%s” is no scope.'):format(scope), advice = 'There is window, workspace and global.' }, 0)
  end
  if not model then
    local choice = pick(false)
    if not choice then
      return
    end
    model = choice.model.model
  end
  if arguments.bang then
    local chat = require('pointsman.chat').current()
    if not chat then
      error({ message = 'There is no chat here.', advice = ':Pointsman chat begins one.' }, 0)
    end
    chat.model = model ~= '-' and model or nil
    return vim.cmd.redrawstatus({ bang = true })
  end
  local chosen = task.call('switchModel', { model = model == '-' and vim.NIL or model, scope = scope })
  say.tell(
    ('%s (%s)%s'):format(
      chosen.displayName ~= '' and chosen.displayName or 'nothing is chosen',
      chosen.scope,
      chosen.state == 'available' and '' or (': ' .. chosen.state .. '. ' .. chosen.why)
    )
  )
end

---@param arguments pointsman.Arguments
function M.explain(arguments)
  local found = task.call('explainRoute', { model = arguments.words[1] }) ---@type pointsman.Explanation
  local text = { ('%s: %s'):format(found.spec, found.rule), '' }
  for at, target in ipairs(found.targets) do
    table.insert(text, ('%d. %s:%s'):format(at, target.provider, target.model))
    if target.temporary then
      table.insert(
        text,
        ('   with the temporary session %s (%s)'):format(target.temporary.session, target.temporary.account)
      )
    end
    if target.error then
      table.insert(text, '   ' .. words.sentence(target.error))
    end
    for _, notice in ipairs(target.notices) do
      table.insert(text, '   ' .. notice.text)
    end
  end
  for _, skipped in ipairs(found.skipped) do
    table.insert(text, ('-  %s:%s is left out: %s'):format(skipped.provider, skipped.model, skipped.reason))
  end
  if #found.targets == 0 then
    table.insert(text, 'Nobody would be asked.')
  end
  require('pointsman.sheet').show('Who would be asked', text)
end

---@param nth integer
---@param name string of the subcommand
---@return string[]
function M.complete_model(nth, name)
  if nth == 1 then
    return require('pointsman.commands.names').of('models')
  end
  return nth == 2 and name == 'model' and SCOPES or {}
end

return M
