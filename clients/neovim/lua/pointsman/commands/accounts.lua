-- `:Pointsman key`, `login`, `logout` and `try`: credentials go in, and never come back out.
local say = require('pointsman.say')
local task = require('pointsman.task')
local words = require('pointsman.words')

local M = {}

---@param id? string
---@param prompt string
---@param fits fun(provider: pointsman.ProviderInfo): boolean
---@return string?
local function provider(id, prompt, fits)
  local all = task.call('listProviders').providers
  if id then
    local known = vim.iter(all):any(function(each)
      return each.id == id
    end)
    if not known then
      local advice = ':Pointsman! providers lists all there are.'
      error({ message = ('There is no provider “%s”.'):format(id), advice = advice }, 0)
    end
    return id
  end
  local found = vim.tbl_filter(fits, all)
  if #found == 0 then
    error({ message = 'No provider is asked that way.', advice = ':Pointsman! providers lists all there are.' }, 0)
  end
  local one = task.pick(found, {
    prompt = prompt,
    kind = 'pointsman_provider',
    format_item = function(each)
      return ('%s (%s)'):format(each.name, each.state)
    end,
  })
  return one and one.id
end

---@param each pointsman.ProviderInfo
local function takes_keys(each)
  return each.auth.scheme ~= 'none' and not each.auth.oauth
end

---@param each pointsman.ProviderInfo
local function signs_in(each)
  return each.auth.oauth
end

---What is typed is not shown, and kept in no history.
---@param prompt string
---@return string?
local function hidden(prompt)
  local ok, text = pcall(vim.fn.inputsecret, prompt)
  text = ok and vim.trim(text) or ''
  vim.cmd.redraw()
  return text ~= '' and text or nil
end

---@param trial? pointsman.KeyTrial
local function how_it_did(trial)
  if not trial then
    return ''
  end
  return trial.ok and (', and works (%s)'):format(words.duration(trial.milliseconds / 1000))
    or (', but it did not work: ' .. words.sentence(trial.error))
end

---@param id string
local function remove_key(id)
  local stored = vim.tbl_filter(function(key)
    return key.stored and key.source == 'stored'
  end, task.call('listKeys', { provider = id }).keys)
  if #stored == 0 then
    return say.tell(('No key of %s is stored.'):format(id))
  end
  local one = task.pick(stored, {
    prompt = 'Remove which key?',
    kind = 'pointsman_key',
    format_item = function(key)
      return ('%s  %s'):format(key.name or '', key.account or '')
    end,
  })
  if one then
    task.call('removeKey', { provider = id, label = one.name })
    say.tell(('The key %s of %s is gone.'):format(one.account or one.name or '', id))
  end
end

---@param arguments pointsman.Arguments
function M.key(arguments)
  local id = provider(arguments.words[1], 'A key of which provider?', takes_keys)
  if not id then
    return
  elseif arguments.bang then
    return remove_key(id)
  end
  local key = hidden(('Key of %s (not shown): '):format(id))
  if not key then
    return
  end
  local stored = task.call('setKey', { provider = id, key = key, label = arguments.words[2] }) ---@type pointsman.SetKeyResult
  local level = stored.trial and not stored.trial.ok and vim.log.levels.WARN or nil
  say.tell(
    ('The key %s of %s is stored, sealed%s.'):format(stored.key.account or '', id, how_it_did(stored.trial)),
    level
  )
end

---Shows where a sign-in goes on; the page is opened if it is for a browser here.
---@param code pointsman.SignInCode
function M.show_code(code)
  local text = { code.url }
  if code.userCode then
    vim.list_extend(text, { '', 'Open that page on any device, and type in:', '', '    ' .. code.userCode })
  else
    vim.list_extend(text, { '', 'The page is opened in your browser; if it is not, open it yourself.' })
    pcall(vim.ui.open, code.url)
  end
  local buffer = require('pointsman.sheet').show('Sign in to ' .. code.provider, text)
  require('pointsman.state').code = code
  vim.b[buffer].pointsman_sign_in = code.provider
end

---@param id string
local function close_code(id)
  for _, window in ipairs(vim.api.nvim_list_wins()) do
    if vim.b[vim.api.nvim_win_get_buf(window)].pointsman_sign_in == id then
      vim.api.nvim_win_close(window, true)
    end
  end
end

---@param arguments pointsman.Arguments
function M.login(arguments)
  local id = provider(arguments.words[1], 'Sign in to', signs_in)
  if not id then
    return
  end
  local err, account = task.wait(function(resume)
    require('pointsman.connection').request(
      'signIn',
      { provider = id, flow = arguments.bang and 'device' or nil },
      resume
    )
  end)
  close_code(id)
  if err then
    error(err, 0)
  end
  say.tell(('Signed in to %s as %s.'):format(id, account.account))
end

---@param arguments pointsman.Arguments
function M.logout(arguments)
  local id, name = arguments.words[1], arguments.words[2]
  local accounts = task.call('listAccounts', { provider = id }).accounts
  if #accounts == 0 then
    return say.tell('Nobody is signed in' .. (id and (' to ' .. id) or '') .. '.')
  end
  if not name then
    local one = #accounts == 1 and id and accounts[1]
      or task.pick(accounts, {
        prompt = 'Sign out of',
        kind = 'pointsman_account',
        format_item = function(account)
          return ('%s: %s'):format(account.provider, account.account)
        end,
      })
    if not one then
      return
    end
    id, name = one.provider, one.account
  end
  local result = task.call('signOut', { provider = id, account = name }) ---@type pointsman.SignOutResult
  local text = ('Signed out of %s (%s).'):format(result.provider, result.account)
  say.tell(result.error and (text .. ' ' .. words.sentence(result.error)) or text)
end

---@param arguments pointsman.Arguments
function M.try(arguments)
  local state = require('pointsman.state')
  if arguments.bang then
    local id = arguments.words[1] or (state.session() or state.sessions[1] or {}).provider
    if not id then
      return say.tell('No temporary session is in front.')
    end
    local over = task.call('clearSession', { provider = id }) ---@type pointsman.ClearSessionResult
    return say.tell(('The temporary session of %s (%s) has ended.'):format(over.provider, over.account))
  end
  local minutes = tonumber(arguments.words[2] or '60')
  if not minutes or minutes <= 0 then
    error({ message = ('“%s” is no number of minutes.'):format(arguments.words[2]), advice = '' }, 0)
  end
  local id = provider(arguments.words[1], 'Try a key of which provider?', takes_keys)
  local key = id and hidden(('Key of %s for a while (not shown): '):format(id))
  if not id or not key then
    return
  end
  local tried = task.call('testProvider', { provider = id, key = key }) ---@type pointsman.ProviderTestResult
  if not tried.ok then
    error(tried.error or { message = 'The key did not work.' }, 0)
  end
  local session = task.call('createSession', { provider = id, credentials = key, minutes = minutes })
  task.call('activateSession', { token = session.token })
  say.tell(('%s is asked with %s for %s.'):format(id, session.account, words.duration(minutes * 60)))
end

---@param nth integer
---@return string[]
function M.complete_provider(nth)
  return nth == 1 and require('pointsman.commands.names').of('providers') or {}
end

return M
