-- Read at every start of Neovim: it names the command and the <Plug> maps, and must never `require` anything.
if vim.g.loaded_pointsman then
  return
end
vim.g.loaded_pointsman = 1

if vim.fn.has('nvim-0.11') == 0 then
  vim.notify_once('pointsman needs Neovim 0.11 or newer', vim.log.levels.ERROR)
  return
end

vim.api.nvim_create_user_command('Pointsman', function(arguments)
  require('pointsman.command').run(arguments)
end, {
  nargs = '*',
  range = true,
  bang = true,
  desc = 'Pointsman: models, keys and chats that all editors share',
  complete = function(lead, line)
    return require('pointsman.command').complete(lead, line)
  end,
})

for _, name in ipairs({ 'chat', 'model', 'cancel', 'attach', 'status' }) do
  vim.keymap.set('n', '<Plug>(pointsman-' .. name .. ')', '<Cmd>Pointsman ' .. name .. '<CR>')
end
vim.keymap.set('n', '<Plug>(pointsman-ask)', '<Cmd>Pointsman ask<CR>')
vim.keymap.set('x', '<Plug>(pointsman-ask)', ':Pointsman ask<CR>')
