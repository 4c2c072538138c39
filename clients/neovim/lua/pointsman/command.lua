-- The table of what `:Pointsman` can do: from it come completion, the help, and what is run.
local M = {}

---@class pointsman.Subcommand
---@field usage string what follows its name
---@field text string[] what it does, for the help; the first is one line
---@field from string the module that holds the function of its name
---@field complete? string the function there that gives words to complete with

---@type table<string, pointsman.Subcommand>
M.table = {
  model = {
    usage = '[!] [{model}] [{scope}]',
    text = {
      'Chooses the model, in every editor where that scope holds.',
      'Without {model} a picker shows every model with its price, its context window and the state of its provider.',
      '{scope} is `window`, `workspace` or `global`; without it, the one that decides now. `-` as the model clears the scope.',
      'With [!], the model is for the current chat alone.',
    },
    from = 'models',
    complete = 'complete_model',
  },
  chat = {
    usage = '[!] [{question}]',
    text = {
      'Shows the latest chat, or begins one; with {question}, asks it there.',
      'With [!], a new one. What an earlier Neovim left running here is attached to first.',
    },
    from = 'chats',
  },
  ask = {
    usage = '[!] [{question}]',
    text = {
      'Asks without leaving this window; with a range, about those lines, which go along.',
      'Without {question} you are asked for it. With [!], in a new chat.',
    },
    from = 'chats',
  },
  attach = {
    usage = '[{chat}]',
    text = { 'Follows a chat that another editor has begun; without {chat} you pick one.' },
    from = 'chats',
    complete = 'complete_chat',
  },
  cancel = {
    usage = '[!]',
    text = { 'Ends the answer in this chat, else in the latest, also upstream; with [!], every one of this Neovim.' },
    from = 'chats',
  },
  explain = {
    usage = '[{model}]',
    text = { 'Says who would be asked for a model, in which order, and who would not, and why.' },
    from = 'models',
    complete = 'complete_model',
  },
  providers = {
    usage = '[!]',
    text = { 'Lists the providers that you can use; with [!], all there are.' },
    from = 'look',
  },
  status = { usage = '', text = { 'Says what the daemon is doing, and what holds here.' }, from = 'look' },
  usage = {
    usage = '[{since}] [{by}]',
    text = {
      'Sums up what chats took and cost: {since} `7d`, `today`, `month` …, {by} `day`, `model`, `provider`, `account`, `client` or `workspace`.',
      'Needs a daemon that keeps a record of it.',
    },
    from = 'look',
    complete = 'complete_usage',
  },
  config = {
    usage = '',
    text = { 'Opens your pointsman.toml; what is wrong with it is shown on its lines.' },
    from = 'look',
  },
  log = { usage = '', text = { 'Opens the log of the daemon, at its end.' }, from = 'look' },
  restart = {
    usage = '[!]',
    text = { 'Connects anew; with [!], the daemon is started anew as well, once the running answers have ended.' },
    from = 'look',
  },
  key = {
    usage = '[!] [{provider}] [{label}]',
    text = {
      'Asks for a key, which is not shown, tries it and stores it sealed.',
      'With [!], removes one instead.',
    },
    from = 'accounts',
    complete = 'complete_provider',
  },
  login = {
    usage = '[!] [{provider}]',
    text = {
      'Signs in to a provider, by your browser.',
      'With [!], or over ssh, by a code for another device.',
    },
    from = 'accounts',
    complete = 'complete_provider',
  },
  logout = {
    usage = '[{provider}] [{account}]',
    text = { 'Signs out: the tokens end at the provider, and are forgotten here.' },
    from = 'accounts',
    complete = 'complete_provider',
  },
  try = {
    usage = '[!] [{provider}] [{minutes}]',
    text = {
      'Asks for a key to be used for a while, 60 minutes if you don’t say, before all others; it is written down nowhere.',
      'The statusline counts down. With [!], ends the session that is in front.',
    },
    from = 'accounts',
    complete = 'complete_provider',
  },
}

---@return string[]
function M.names()
  local names = vim.tbl_keys(M.table)
  table.sort(names)
  return names
end

---@param arguments vim.api.keyset.create_user_command.command_args
function M.run(arguments)
  local name = table.remove(arguments.fargs, 1) or 'chat'
  local bang = arguments.bang
  if name:sub(-1) == '!' then
    name, bang = name:sub(1, -2), true -- `:Pointsman chat!` as well as `:Pointsman! chat`
  end
  local known = M.table[name]
  if not known then
    return require('pointsman.say').tell(
      ('There is no “:Pointsman %s”. There is: %s.'):format(name, table.concat(M.names(), ', ')),
      vim.log.levels.ERROR
    )
  end
  require('pointsman.task').run(function()
    require('pointsman.commands.' .. known.from)[name]({
      words = arguments.fargs,
      text = vim.trim((arguments.args:gsub('^%s*%S+', '', 1))),
      bang = bang,
      range = arguments.range > 0 and { arguments.line1, arguments.line2 } or nil,
    })
  end)
end

---@class pointsman.Arguments
---@field words string[]
---@field text string all words, as they were typed
---@field bang boolean
---@field range? integer[] first and last line

---@param lead string
---@param line string
---@return string[]
function M.complete(lead, line)
  local name, rest = line:match('Pointsman!?%s+(%S-)!?%s+(.*)$')
  local words ---@type string[]
  if not name then
    words = M.names()
  else
    local known = M.table[name]
    local nth = select(2, rest:gsub('%S+%s+', '')) + 1
    words = known and known.complete and require('pointsman.commands.' .. known.from)[known.complete](nth, name) or {}
  end
  return vim.tbl_filter(function(word)
    return vim.startswith(word, lead)
  end, words)
end

return M
