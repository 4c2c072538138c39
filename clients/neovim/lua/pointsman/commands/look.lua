-- `:Pointsman providers`, `status`, `usage`, `config`, `log` and `restart`.
local connection = require('pointsman.connection')
local say = require('pointsman.say')
local state = require('pointsman.state')
local task = require('pointsman.task')
local words = require('pointsman.words')

local M = {}

---@param window pointsman.Window
local function of_plan(window)
  local used = window.used and window.limit and (' (%d of %d)'):format(window.used, window.limit) or ''
  local back = window.resetsAt and (', back at ' .. window.resetsAt) or ''
  return ('%s: %d %% used%s%s'):format(window.name, window.usedPercent, used, back)
end

---@param provider pointsman.ProviderInfo
local function next_step(provider)
  if provider.state == 'offline' then
    return 'does not run'
  elseif provider.state ~= 'unconfigured' then
    local session = provider.temporary
    return session and ('temporary key, %s left'):format(words.duration(session.secondsLeft)) or ''
  end
  return provider.auth.oauth and (':Pointsman login ' .. provider.id) or (':Pointsman key ' .. provider.id)
end

---@param arguments pointsman.Arguments
function M.providers(arguments)
  local rows, plans, left_out = {}, {}, 0
  for _, provider in ipairs(task.call('listProviders').providers) do
    if provider.state == 'unconfigured' and not arguments.bang then
      left_out = left_out + 1
    else
      local sign = ({ active = '●', available = '○', offline = '✗' })[provider.state] or ' '
      table.insert(rows, { sign, provider.id, provider.name, provider.state, next_step(provider) })
      for _, window in ipairs(provider.windows or {}) do
        table.insert(plans, ('%s  %s'):format(provider.name, of_plan(window)))
      end
    end
  end
  local text = words.columns(rows)
  if #plans > 0 then
    vim.list_extend(text, { '', unpack(plans) })
  end
  if left_out > 0 then
    vim.list_extend(text, { '', ('%d more without a key: :Pointsman! providers'):format(left_out) })
  end
  require('pointsman.sheet').show('Providers', text)
end

function M.status()
  local status = task.call('status') ---@type pointsman.StatusResult
  local selection = task.call('currentModel') ---@type pointsman.Selection
  local rows = {
    { 'model', selection.displayName ~= '' and selection.displayName or 'none' },
    { '', selection.why },
    {
      'daemon',
      ('%s, process %d, up %s, %d MB'):format(
        status.version,
        status.pid,
        words.duration(status.uptimeSeconds),
        status.memory / 2 ^ 20
      ),
    },
    { 'window', connection.server and connection.server.windowId or '' },
    { 'chats', ('%d running, %d kept'):format(status.runningChats, status.keptChats) },
    { 'config', status.configFile .. (status.problems > 0 and (', %d mistakes'):format(status.problems) or '') },
    { 'log', status.logFile },
  }
  for at, client in ipairs(status.clients) do
    local line = ('%s %s  %s'):format(client.client, client.clientVersion or '', client.workspace or '')
    table.insert(rows, { at == 1 and 'editors' or '', line })
  end
  for at, session in ipairs(state.sessions) do
    local line = ('%s  %s, %s left'):format(session.provider, session.account, words.duration(session.secondsLeft))
    table.insert(rows, { at == 1 and 'trying' or '', line })
  end
  require('pointsman.sheet').show('Pointsman', words.columns(rows))
end

local SINCE = { 'today', 'week', 'month', 'year', '7d', 'all' }
local BY = { 'day', 'model', 'provider', 'account', 'client', 'workspace' }

---@param arguments pointsman.Arguments
function M.usage(arguments)
  local by = arguments.words[2]
  if by and not vim.list_contains(BY, by) then
    local some = table.concat(BY, ', ', 1, #BY - 1) .. ' and ' .. BY[#BY]
    error({ message = ('Nothing is summed up by “%s”.'):format(by), advice = ('There is %s.'):format(some) }, 0)
  end
  local err, result = task.wait(function(resume)
    connection.request('usage', { since = arguments.words[1], by = by }, resume)
  end)
  if err and vim.tbl_get(err, 'data', 'code') == 'MethodNotFound' then
    return say.tell('This daemon keeps no record of what chats cost. Update Pointsman, then :Pointsman! restart.')
  elseif err then
    error(err, 0)
  end
  local rows = { { '', 'chats', 'in', 'out', 'cost' } }
  local function row(name, total)
    local cost = words.usd(total.usd)
      .. ((total.unpriced or 0) > 0 and (' + %d without a price'):format(total.unpriced) or '')
    local tokens = { words.tokens(total.inputTokens), words.tokens(total.outputTokens) }
    table.insert(rows, { name, tostring(total.chats), tokens[1], tokens[2], cost })
  end
  for _, total in ipairs(result.totals) do
    row(total.name, total)
  end
  row('in all', result.grand)
  local text = words.columns(rows)
  for _, budget in ipairs(result.budgets or {}) do
    table.insert(
      text,
      ('budget of %s a %s: %s of %s'):format(
        budget.name or budget.about,
        budget.period,
        words.usd(budget.spent),
        words.usd(budget.budget)
      )
    )
  end
  require('pointsman.sheet').show(('Usage since %s'):format(result.since:sub(1, 10)), text)
end

---@param nth integer
---@return string[]
function M.complete_usage(nth)
  return nth == 1 and SINCE or nth == 2 and BY or {}
end

function M.config()
  local file = task.call('status').configFile
  vim.fn.mkdir(vim.fs.dirname(file), 'p', tonumber('700', 8))
  vim.cmd.edit(vim.fn.fnameescape(file))
end

function M.log()
  vim.cmd.edit(vim.fn.fnameescape(task.call('status').logFile))
  vim.bo.readonly = true
  vim.cmd.normal({ 'G', bang = true })
end

---@param arguments pointsman.Arguments
function M.restart(arguments)
  if arguments.bang then
    local program = require('pointsman.config').get().cmd[1]
    local done = task.wait(function(resume)
      vim.system({ program, 'restart' }, { text = true }, vim.schedule_wrap(resume))
    end)
    if done.code ~= 0 then
      error({ message = vim.trim(done.stderr) }, 0)
    end
  end
  local err = task.wait(connection.reopen)
  if err then
    error(err, 0)
  end
  say.tell('Connected to Pointsman ' .. (connection.server and connection.server.version or ''))
end

return M
