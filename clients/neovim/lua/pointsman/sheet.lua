-- A window with lines to read, that `q` closes. Knows nothing of what they say.
local M = {}

---@param title string
---@param text string[]
---@param filetype? string
---@return integer buffer
function M.show(title, text, filetype)
  local buffer = vim.api.nvim_create_buf(false, true)
  vim.api.nvim_buf_set_lines(buffer, 0, -1, false, vim.split(table.concat(text, '\n'), '\n'))
  vim.bo[buffer].modifiable = false
  vim.bo[buffer].bufhidden = 'wipe'
  vim.bo[buffer].filetype = filetype or 'pointsman'
  local width = #title + 4
  for _, line in ipairs(vim.api.nvim_buf_get_lines(buffer, 0, -1, false)) do
    width = math.max(width, vim.fn.strdisplaywidth(line))
  end
  width = math.max(20, math.min(width, vim.o.columns - 6))
  local height = math.max(1, math.min(vim.api.nvim_buf_line_count(buffer), vim.o.lines - 6))
  local window = vim.api.nvim_open_win(buffer, true, {
    relative = 'editor',
    width = width,
    height = height,
    row = math.floor((vim.o.lines - height) / 2) - 1,
    col = math.floor((vim.o.columns - width) / 2),
    style = 'minimal',
    border = 'rounded',
    title = ' ' .. title .. ' ',
  })
  vim.wo[window][0].wrap = true
  vim.wo[window][0].linebreak = true
  for _, keys in ipairs({ 'q', '<Esc>' }) do
    vim.keymap.set('n', keys, '<Cmd>close<CR>', { buffer = buffer, nowait = true, desc = 'Close' })
  end
  return buffer
end

return M
