-- What the daemon has pushed, kept for statuslines; and the `User` autocmds that say that it has changed.
-- Never asks anything but on a new connection.
local connection = require('pointsman.connection')

local M = {
  selection = nil, ---@type pointsman.Selection? the choice that holds here
  sessions = {}, ---@type pointsman.SessionInfo[]
  session_ends = {}, ---@type table<string, number> by id: when, on this machine's clock
  answering = 0, ---@type integer chats that run, of all editors
  problems = {}, ---@type table<string, pointsman.Problem>
  code = nil, ---@type pointsman.SignInCode?
}

---The `User` autocmds, and what their `data` holds; the help is made from it.
M.events = {
  { 'ModelChanged', '`selection` that holds here now, the one `before`, and what was `changed`, perhaps elsewhere' },
  { 'ChatStarted', 'a |pointsman.ChatSummary|, of any editor' },
  { 'ChatFinished', 'a |pointsman.ChatSummary|, of any editor' },
  { 'ProvidersChanged', 'the ids that were `added`, `changed` and `removed`' },
  { 'SessionExpired', 'a |pointsman.EndedSession|: which temporary session ended, and a `message` for people' },
  { 'Connected', 'a |pointsman.ServerOptions|' },
  { 'Disconnected', 'nothing; it is connected anew by itself' },
}

local running = {} ---@type table<string, boolean>

---@param name string
---@param data any
function M.announce(name, data)
  vim.api.nvim_exec_autocmds('User', { pattern = 'Pointsman' .. name, modeline = false, data = data })
end

local function redraw()
  vim.cmd.redrawstatus({ bang = true })
end

---@param selection pointsman.Selection
---@param changed? pointsman.Selection
local function select(selection, changed)
  local before = M.selection
  M.selection = selection
  if not vim.deep_equal(before, selection) then
    M.announce('ModelChanged', { selection = selection, before = before, changed = changed })
    redraw()
  end
end

local clock ---@type uv.uv_timer_t? runs while there is a session to count down

local function run_clock()
  if #M.sessions > 0 and not clock then
    clock = assert(vim.uv.new_timer())
    clock:start(1000, 1000, vim.schedule_wrap(redraw))
  elseif #M.sessions == 0 and clock then
    clock:stop()
    clock:close()
    clock = nil
  end
end

---@param sessions pointsman.SessionInfo[]
local function keep_sessions(sessions)
  M.sessions = sessions
  M.session_ends = {}
  for _, session in ipairs(sessions) do
    M.session_ends[session.id] = os.time() + session.secondsLeft
  end
  run_clock()
end

---@param chat pointsman.ChatSummary
---@param quiet? boolean
local function note_chat(chat, quiet)
  local runs, ran = chat.state == 'running', running[chat.chatId]
  running[chat.chatId] = runs or nil
  M.answering = vim.tbl_count(running)
  if quiet or (not runs and not ran) or (runs and ran) then
    return
  end
  M.announce(runs and 'ChatStarted' or 'ChatFinished', chat)
  redraw()
end

connection.on('opened', function()
  connection.request('currentModel', nil, function(err, selection)
    if not err then
      select(selection)
    end
  end)
  connection.request('listSessions', nil, function(err, result)
    if not err then
      keep_sessions(result.sessions)
    end
  end)
  connection.request('listChats', nil, function(err, result)
    running = {}
    for _, chat in ipairs(err and {} or result.chats) do
      note_chat(chat, true)
    end
    M.announce('Connected', connection.server)
  end)
end)

connection.on('ended', function()
  running, M.answering = {}, 0
  M.announce('Disconnected', {})
  redraw()
end)

connection.on('selectionChanged', function(told) ---@param told pointsman.SelectionChanged
  select(told.effective, told.changed)
end)

connection.on('providersChanged', function(told)
  M.announce('ProvidersChanged', told)
  connection.request('currentModel', nil, function(err, selection)
    if not err then
      select(selection)
    end
  end)
end)

connection.on('chatsChanged', function(told) ---@param told pointsman.ChatsChanged
  note_chat(told.chat)
end)

connection.on('sessionsChanged', function(told) ---@param told pointsman.SessionsChanged
  keep_sessions(told.sessions)
  if told.ended then
    M.announce('SessionExpired', told.ended)
  end
  redraw()
end)

connection.on('configProblem', function(problem) ---@param problem pointsman.Problem
  if M.problems[problem.file] and vim.deep_equal(M.problems[problem.file], problem) then
    return
  end
  M.problems[problem.file] = problem
  local place = vim.fn.fnamemodify(problem.file, ':~') .. (problem.line and (':' .. problem.line) or '')
  require('pointsman.say').tell(('%s: %s %s'):format(place, problem.message, problem.hint), vim.log.levels.WARN)
end)

connection.on('signInCode', function(code)
  M.code = code
  require('pointsman.commands.accounts').show_code(code)
end)

connection.on('showMessage', function(told)
  local levels = { vim.log.levels.ERROR, vim.log.levels.WARN, vim.log.levels.INFO }
  require('pointsman.say').tell(told.message, levels[told.type] or vim.log.levels.INFO)
end)

---The temporary session that stands before the chosen provider's own keys, with its seconds left.
---@return pointsman.SessionInfo?, integer?
function M.session()
  for _, session in ipairs(M.sessions) do
    if session.inEffect and M.selection and session.provider == M.selection.provider then
      return session, math.max(0, M.session_ends[session.id] - os.time())
    end
  end
end

return M
