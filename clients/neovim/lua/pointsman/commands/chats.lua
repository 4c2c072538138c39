-- `:Pointsman chat`, `ask`, `attach` and `cancel`.
local chat = require('pointsman.chat')
local connection = require('pointsman.connection')
local say = require('pointsman.say')
local task = require('pointsman.task')

local M = {}

local recovered = false

---What an earlier run of this Neovim has left running, once.
local function recover()
  if recovered then
    return
  end
  local err = task.wait(connection.open)
  if err then
    return -- asking will say so
  end
  recovered = true
  local found = task.wait(chat.recover)
  if #found > 0 then
    say.tell(
      ('%d answer%s that went on without you %s here again'):format(
        #found,
        #found == 1 and '' or 's',
        #found == 1 and 'is' or 'are'
      )
    )
  end
end

---@param arguments pointsman.Arguments
function M.chat(arguments)
  recover()
  local one = not arguments.bang and chat.current() or chat.start()
  chat.show(one, true)
  if arguments.text ~= '' then
    chat.ask(one, arguments.text)
  end
end

---Lines of the current buffer as a block of code that says where they are from.
---@param range integer[]
local function context(range)
  local name = vim.fn.fnamemodify(vim.api.nvim_buf_get_name(0), ':.')
  local lines = vim.api.nvim_buf_get_lines(0, range[1] - 1, range[2], false)
  local fence = '```'
  for _, line in ipairs(lines) do
    local longer = line:match('^%s*(```+)')
    fence = longer and #longer >= #fence and longer .. '`' or fence
  end
  local place = ('Lines %d to %d of %s:'):format(range[1], range[2], name ~= '' and ('`' .. name .. '`') or 'a buffer')
  return table.concat({ '', '', place, '', fence .. vim.bo.filetype, table.concat(lines, '\n'), fence }, '\n')
end

---@param arguments pointsman.Arguments
function M.ask(arguments)
  local along = arguments.range and context(arguments.range) or ''
  local question = arguments.text
  if question == '' then
    question = task.wait(function(resume)
      vim.ui.input({ prompt = 'Ask: ' }, resume)
    end)
    if not question or vim.trim(question) == '' then
      return
    end
  end
  recover()
  local one = not arguments.bang and chat.current() or chat.start()
  chat.show(one, false)
  chat.ask(one, question .. along)
end

---@return pointsman.ChatSummary[]
local function others()
  return vim.tbl_filter(function(summary)
    return not vim.iter(chat.all()):any(function(mine)
      return mine.followed and mine.followed.id == summary.chatId
    end)
  end, task.call('listChats').chats)
end

---@param arguments pointsman.Arguments
function M.attach(arguments)
  local found = others()
  local id = arguments.words[1]
  local summary ---@type pointsman.ChatSummary?
  if id then
    summary = vim.iter(found):find(function(one)
      return vim.startswith(one.chatId, id)
    end)
    if not summary then
      error({ message = ('No chat %s is kept.'):format(id), advice = ':Pointsman attach lists those that are.' }, 0)
    end
  elseif #found == 0 then
    return say.tell('No chat of another editor runs, or has ended in the last ten minutes.')
  else
    summary = task.pick(found, {
      prompt = 'Chat',
      kind = 'pointsman_chat',
      format_item = function(one)
        return ('%s  %s  %s  %s'):format(one.state == 'running' and '…' or '✓', one.client, one.model, one.title)
      end,
    })
  end
  if summary then
    chat.show(chat.attach(summary), true)
  end
end

---@param arguments pointsman.Arguments
function M.cancel(arguments)
  local one = chat.current()
  if one and not one.followed then
    one = vim.iter(vim.iter(chat.all()):rev():totable()):find(function(other)
      return other.followed
    end)
  end
  local ended = 0
  for _, each in ipairs(arguments.bang and vim.list_slice(chat.all()) or { one }) do
    ended = ended + (chat.cancel(each) and 1 or 0)
  end
  if ended == 0 then
    say.tell('No answer is on its way here.')
  end
end

---@param nth integer
---@return string[]
function M.complete_chat(nth)
  return nth == 1 and require('pointsman.commands.names').of('chats') or {}
end

return M
