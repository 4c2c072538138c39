-- The chats of this Neovim: what was said in each, what is asked, and the answers that are followed.
-- Draws nothing itself.
local connection = require('pointsman.connection')
local footer = require('pointsman.chat.footer')
local lines = require('pointsman.chat.lines')
local say = require('pointsman.say')
local state = require('pointsman.state')
local view = require('pointsman.chat.view')
local words = require('pointsman.words')

local M = {}

---@class pointsman.Followed an answer that is on its way
---@field id string of the chat
---@field answer pointsman.Answer
---@field cancel? fun()
---@field lost boolean whether the connection is gone
---@field due? boolean whether a drawing is due

---@class pointsman.Chat
---@field buffer integer
---@field view pointsman.View
---@field conversation string
---@field said pointsman.Message[]
---@field model? string asked instead of what is chosen
---@field followed? pointsman.Followed
---@field from? string the editor that began it

---@type pointsman.Chat[]
local chats = {}
local count = 0

---@return string a new UUID
local function uuid()
  local bytes = { vim.uv.random(16):byte(1, 16) }
  bytes[7] = bytes[7] % 16 + 0x40
  bytes[9] = bytes[9] % 64 + 0x80
  local hex = ('%02x'):rep(16):format(unpack(bytes))
  return (hex:gsub('^(........)(....)(....)(....)', '%1-%2-%3-%4-'))
end

---@param chat pointsman.Chat
local function draw(chat)
  local followed = chat.followed
  if followed then
    view.draw(chat.view, followed.answer, followed.lost)
  end
end

---Draws soon: at once if nothing was drawn for a while, and never more often than the throttle says.
---@param chat pointsman.Chat
local function draw_soon(chat)
  local followed = chat.followed
  if not followed or followed.due then
    return
  end
  followed.due = true
  vim.defer_fn(function()
    followed.due = false
    if chat.followed == followed then
      draw(chat)
    end
  end, require('pointsman.config').get().throttle_ms)
end

---@param id string
---@return pointsman.Chat?
local function by_id(id)
  for _, chat in ipairs(chats) do
    if chat.followed and chat.followed.id == id then
      return chat
    end
  end
end

---@param buffer integer
---@return pointsman.Chat?
function M.of(buffer)
  for _, chat in ipairs(chats) do
    if chat.buffer == buffer then
      return chat
    end
  end
end

---The chat in the current buffer, else the latest.
---@return pointsman.Chat?
function M.current()
  return M.of(vim.api.nvim_get_current_buf()) or chats[#chats]
end

view.header = function(buffer)
  local chat = M.of(buffer)
  local from = chat and chat.from and ('begun in ' .. chat.from) or ''
  return footer.header(state.selection, chat and chat.model, from)
end

---@return pointsman.Chat
function M.create()
  count = count + 1
  local its_view = view.create('pointsman://chat/' .. count)
  ---@type pointsman.Chat
  local chat = { buffer = its_view.buffer, view = its_view, conversation = uuid(), said = {} }
  table.insert(chats, chat)
  require('pointsman.chat.maps').set(chat.buffer)
  vim.api.nvim_create_autocmd('BufWipeout', {
    buffer = chat.buffer,
    callback = function()
      M.cancel(chat)
      for at, other in ipairs(chats) do
        if other == chat then
          table.remove(chats, at)
        end
      end
    end,
  })
  return chat
end

---A chat with nothing in it but the place for a question.
---@return pointsman.Chat
function M.start()
  local chat = M.create()
  view.ask(chat.view)
  return chat
end

---@param chat pointsman.Chat
---@param enter boolean whether its window becomes the current one
function M.show(chat, enter)
  local window = vim.fn.bufwinid(chat.buffer)
  if window == -1 then
    local before = vim.api.nvim_get_current_win()
    vim.cmd(require('pointsman.config').get().split)
    window = vim.api.nvim_get_current_win()
    vim.api.nvim_win_set_buf(window, chat.buffer)
    vim.api.nvim_win_set_cursor(window, { vim.api.nvim_buf_line_count(chat.buffer), 0 })
    if not enter then
      vim.api.nvim_set_current_win(before)
    end
  elseif enter then
    vim.api.nvim_set_current_win(window)
  end
end

---@param chat pointsman.Chat
---@param err any
---@param result? pointsman.ChatResult
local function settle(chat, err, result)
  local followed = chat.followed
  if not followed then
    return
  end
  local data = err and (err.data or err)
  if data and data.code == 'DaemonUnreachable' and connection.returning then
    followed.lost = true
    return draw(chat)
  end
  if err then
    if followed.lost and data.code == 'ChatGone' then
      data = { message = 'The daemon ended, and this answer with it.', advice = 'gR asks again.' }
    end
    lines.fail(
      followed.answer,
      { message = data.message, advice = words.advice(data), code = data.code, retryable = false }
    )
  elseif result then
    followed.answer.result = result
    followed.answer.finished = followed.answer.finished
      or { type = 'finished', reason = result.stopReason, error = result.error }
    local content = result.message.content
    if type(content) == 'string' and content ~= '' or type(content) == 'table' and #content > 0 then
      table.insert(chat.said, result.message)
    end
  end
  draw(chat)
  chat.followed = nil
  if vim.api.nvim_buf_is_loaded(chat.buffer) then
    view.close(chat.view)
  end
end

---@param chat pointsman.Chat
---@param method "chat"|"attachChat"
---@param params table
local function follow(chat, method, params)
  local followed = chat.followed
  followed.cancel = connection.request(method, params, function(err, result)
    if chat.followed == followed then
      settle(chat, err, result)
    end
  end)
end

---@param chat pointsman.Chat
---@param id string
local function begin(chat, id)
  view.open(chat.view)
  chat.followed = { id = id, answer = lines.new(), lost = false }
  draw(chat)
end

---Asks with all that was said.
---@param chat pointsman.Chat
local function ask(chat)
  local config = require('pointsman.config').get()
  begin(chat, uuid())
  follow(chat, 'chat', {
    chatId = chat.followed.id,
    conversationId = chat.conversation,
    model = chat.model,
    messages = chat.said,
    system = config.system,
    options = config.options,
  })
end

---Sends what is written as the question.
---@param chat pointsman.Chat
---@return boolean sent
function M.send(chat)
  if chat.followed then
    say.tell('The answer is still on its way; :Pointsman cancel ends it.', vim.log.levels.WARN)
    return false
  end
  local text = view.question(chat.view)
  if text == '' then
    say.tell('Write a question below “## You”, then press <CR>.')
    return false
  end
  local last = chat.said[#chat.said]
  if last and last.role == 'user' then
    table.remove(chat.said) -- nobody has answered that; gR would have asked it again
  end
  table.insert(chat.said, { role = 'user', content = text })
  ask(chat)
  return true
end

---Asks `text` in that chat, in place of what is written there.
---@param chat pointsman.Chat
---@param text string
function M.ask(chat, text)
  if not chat.followed then
    view.set_question(chat.view, text)
  end
  return M.send(chat)
end

---Asks the last question again, of what is chosen now.
---@param chat pointsman.Chat
function M.regenerate(chat)
  if chat.followed then
    return say.tell('The answer is still on its way; :Pointsman cancel ends it.', vim.log.levels.WARN)
  end
  while #chat.said > 0 and chat.said[#chat.said].role ~= 'user' do
    table.remove(chat.said)
  end
  if #chat.said == 0 then
    return say.tell('There is no question to ask again.', vim.log.levels.WARN)
  end
  view.take_back(chat.view)
  ask(chat)
end

---Ends the answer that is on its way, upstream too.
---@param chat pointsman.Chat
function M.cancel(chat)
  local followed = chat.followed
  if not followed then
    return false
  end
  if connection.client then
    connection.request('cancelChat', { chatId = followed.id }, function(err)
      if err and chat.followed == followed then
        followed.cancel()
      end
    end)
  else
    connection.returning = false
    followed.cancel()
    settle(chat, { message = 'Cancelled.', advice = '', code = 'RequestCancelled' })
  end
  return true
end

---Follows a chat that was begun elsewhere, from its first event on.
---@param summary pointsman.ChatSummary
---@return pointsman.Chat
function M.attach(summary)
  local known = by_id(summary.chatId)
  if known then
    return known
  end
  local chat = M.create()
  chat.from = summary.client
  chat.conversation = summary.conversationId or chat.conversation
  chat.said = { { role = 'user', content = summary.title } }
  view.ask(chat.view, vim.split(summary.title, '\n'))
  begin(chat, summary.chatId)
  follow(chat, 'attachChat', { chatId = summary.chatId, after = -1 })
  return chat
end

---Attaches to what an earlier run of this Neovim has left running. Calls back with the chats.
---@param callback fun(chats: pointsman.Chat[])
function M.recover(callback)
  connection.request('listChats', nil, function(err, result)
    local found = {}
    for _, summary in ipairs(err and {} or result.chats) do
      local mine = summary.client == connection.CLIENT
        and summary.watchers == 0
        and (
          summary.windowId == (connection.server and connection.server.windowId)
          or summary.workspace == require('pointsman.config').workspace()
        )
      if summary.state == 'running' and mine and not by_id(summary.chatId) then
        table.insert(found, M.attach(summary))
      end
    end
    callback(found)
  end)
end

---@return pointsman.Chat[]
function M.all()
  return chats
end

connection.on('chatEvents', function(told) ---@param told pointsman.ChatEvents
  local chat = by_id(told.chatId)
  if chat then
    lines.feed(chat.followed.answer, told.from, told.events)
    draw_soon(chat)
  end
end)

connection.on('opened', function()
  for _, chat in ipairs(chats) do
    local followed = chat.followed
    if followed and followed.lost then
      follow(chat, 'attachChat', { chatId = followed.id, after = followed.answer.seen })
    end
  end
end)

vim.api.nvim_create_autocmd('User', {
  pattern = 'PointsmanModelChanged',
  callback = function()
    vim.cmd.redrawstatus({ bang = true })
  end,
})

return M
