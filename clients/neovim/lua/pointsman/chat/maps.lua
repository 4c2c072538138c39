-- The maps of a chat's buffer, and what each does: one table, from which the help is made as well.
local M = {}

---@class pointsman.Map
---@field modes string[]
---@field keys string
---@field text string
---@field run fun(chat: pointsman.Chat)

---@param chat pointsman.Chat
---@param all boolean
local function yank(chat, all)
  local view, say = require('pointsman.chat.view'), require('pointsman.say')
  local text = vim.api.nvim_buf_get_lines(chat.buffer, 0, -1, false)
  local row = all and #text or vim.api.nvim_win_get_cursor(0)[1]
  local code, language = view.code_at(text, row)
  if not code then
    return say.tell('There is no block of code here or above.', vim.log.levels.WARN)
  end
  vim.fn.setreg(vim.v.register, code, 'l')
  say.tell(('%d line%s of %s yanked'):format(#code, #code == 1 and '' or 's', language ~= '' and language or 'code'))
end

---@param flags string
local function heading(flags)
  for _ = 1, vim.v.count1 do
    vim.fn.search([[^## \(You\|Answer\)$]], flags)
  end
end

---@type pointsman.Map[]
M.maps = {
  {
    modes = { 'n' },
    keys = '<CR>',
    text = 'send the question',
    run = function(chat)
      require('pointsman.chat').send(chat)
    end,
  },
  {
    modes = { 'n', 'i' },
    keys = '<C-s>',
    text = 'send the question',
    run = function(chat)
      vim.cmd.stopinsert()
      require('pointsman.chat').send(chat)
    end,
  },
  {
    modes = { 'n' },
    keys = '<C-c>',
    text = 'cancel the answer, upstream too',
    run = function(chat)
      require('pointsman.chat').cancel(chat)
    end,
  },
  {
    modes = { 'n' },
    keys = 'gR',
    text = 'ask the last question again, of the model that is chosen now',
    run = function(chat)
      require('pointsman.chat').regenerate(chat)
    end,
  },
  {
    modes = { 'n' },
    keys = 'gm',
    text = 'choose the model, for this and all that follows',
    run = function()
      vim.cmd.Pointsman('model')
    end,
  },
  {
    modes = { 'n' },
    keys = 'gM',
    text = 'choose the model for this chat alone',
    run = function()
      vim.cmd.Pointsman({ args = { 'model' }, bang = true })
    end,
  },
  {
    modes = { 'n' },
    keys = 'gy',
    text = 'yank the block of code under the cursor, else the last one above',
    run = function(chat)
      yank(chat, false)
    end,
  },
  {
    modes = { 'n' },
    keys = 'gY',
    text = 'yank the last block of code',
    run = function(chat)
      yank(chat, true)
    end,
  },
  {
    modes = { 'n', 'x' },
    keys = ']]',
    text = 'to the next question or answer',
    run = function()
      heading('W')
    end,
  },
  {
    modes = { 'n', 'x' },
    keys = '[[',
    text = 'to the question or answer before',
    run = function()
      heading('bW')
    end,
  },
  {
    modes = { 'n' },
    keys = 'g?',
    text = 'these maps',
    run = function()
      vim.cmd.help('pointsman-chat-maps')
    end,
  },
}

---@param buffer integer
function M.set(buffer)
  for _, map in ipairs(M.maps) do
    vim.keymap.set(map.modes, map.keys, function()
      local chat = require('pointsman.chat').of(buffer)
      if chat then
        map.run(chat)
      end
    end, { buffer = buffer, desc = 'Pointsman: ' .. map.text })
  end
end

return M
