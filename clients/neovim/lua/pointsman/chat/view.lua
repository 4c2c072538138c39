-- Draws a chat into a buffer and its windows. Knows lines and rows; who says them, and over what, is not its business.
local footer = require('pointsman.chat.footer')
local lines = require('pointsman.chat.lines')

local M = {}

M.FILETYPE = 'pointsman-chat'
local space = vim.api.nvim_create_namespace('pointsman.chat')
local colours = vim.api.nvim_create_namespace('pointsman.chat.colours')
local api = vim.api

---@class pointsman.View
---@field buffer integer
---@field question? integer mark of the heading of the question that is being written
---@field first? integer row (from 0) of the answer's first line
---@field row integer line of the answer (from 1) up to which it is drawn
---@field column integer bytes of that line that are drawn
---@field footer? integer mark
---@field turn integer how often an answer was opened
---@field fenced boolean whether the last line that was coloured is in a block of code
---@field folds table<integer, integer> number of a line → where its reasoning begins

---@type table<integer, pointsman.View>
local views = {}
---@type fun(buffer: integer): string
M.header = function()
  return ''
end

---@param name string
---@return pointsman.View
function M.create(name)
  local buffer = api.nvim_create_buf(true, true)
  api.nvim_buf_set_name(buffer, name)
  vim.bo[buffer].buftype = 'nofile'
  vim.bo[buffer].bufhidden = 'hide'
  vim.bo[buffer].swapfile = false
  vim.bo[buffer].undolevels = -1
  vim.treesitter.language.register('markdown', M.FILETYPE)
  vim.bo[buffer].filetype = M.FILETYPE
  pcall(vim.treesitter.start, buffer, 'markdown')
  local view = { buffer = buffer, row = 1, column = 0, folds = {}, fenced = false, turn = 0 }
  views[buffer] = view
  api.nvim_create_autocmd('BufWinEnter', {
    buffer = buffer,
    callback = function()
      M.dress(api.nvim_get_current_win())
    end,
  })
  api.nvim_create_autocmd('BufWipeout', {
    buffer = buffer,
    callback = function()
      views[buffer] = nil
    end,
  })
  return view
end

---Sets what a window shows around this buffer, and nothing for the buffers that it shows later.
---@param window integer
function M.dress(window)
  local own = vim.wo[window][0]
  own.winbar = "%{%v:lua.require'pointsman.chat.view'.winbar()%}"
  own.wrap, own.linebreak, own.number, own.relativenumber = true, true, false, false
  own.signcolumn, own.foldcolumn, own.spell = 'no', '0', false
  own.conceallevel = 2
  own.foldmethod, own.foldlevel, own.foldenable = 'expr', 0, true
  own.foldexpr = "v:lua.require'pointsman.chat.view'.fold()"
  own.foldtext = "v:lua.require'pointsman.chat.view'.foldtext()"
  own.fillchars = 'fold: '
end

---@return string
function M.winbar()
  local window = vim.g.statusline_winid or api.nvim_get_current_win()
  return (M.header(api.nvim_win_get_buf(window)):gsub('%%', '%%%%'))
end

---@return string|integer
function M.fold()
  local view = views[api.nvim_get_current_buf()]
  local start = view and view.folds[vim.v.lnum]
  if not start then
    return 0
  end
  return start == vim.v.lnum and '>1' or 1
end

---@return string
function M.foldtext()
  local count = vim.v.foldend - vim.v.foldstart + 1
  return ('> Thought: %d line%s'):format(count, count == 1 and '' or 's')
end

---@param view pointsman.View
---@param change fun()
local function editing(view, change)
  local bo = vim.bo[view.buffer]
  bo.modifiable = true
  change()
  bo.modified = false
end

---The windows whose cursor is on the last line: they go with the text, all others stay as they are.
---@param buffer integer
---@return integer[]
local function followers(buffer)
  local last, found = api.nvim_buf_line_count(buffer), {}
  for _, window in ipairs(vim.fn.win_findbuf(buffer)) do
    if api.nvim_win_get_cursor(window)[1] == last then
      found[#found + 1] = window
    end
  end
  return found
end

---@param view pointsman.View
---@param windows integer[]
local function follow(view, windows)
  local last = api.nvim_buf_line_count(view.buffer)
  local width = #api.nvim_buf_get_lines(view.buffer, last - 1, last, false)[1]
  for _, window in ipairs(windows) do
    if api.nvim_win_is_valid(window) then
      api.nvim_win_set_cursor(window, { last, width })
    end
  end
end

---@param view pointsman.View
---@param text string[]
local function add(view, text)
  local last = api.nvim_buf_line_count(view.buffer)
  local empty = last == 1 and api.nvim_buf_get_lines(view.buffer, 0, 1, false)[1] == ''
  editing(view, function()
    api.nvim_buf_set_lines(view.buffer, empty and 0 or last, -1, false, text)
  end)
end

---@param view pointsman.View
---@param row integer from 0
---@param words string
local function label(view, row, words)
  api.nvim_buf_set_extmark(view.buffer, space, row, 0, { virt_text = { { words, 'Comment' } }, virt_text_pos = 'eol' })
end

---Opens the place for a question, below all that there is.
---@param view pointsman.View
---@param text? string[] the beginning of it
function M.ask(view, text)
  local those = followers(view.buffer)
  text = text or { '' }
  local fresh = api.nvim_buf_line_count(view.buffer) == 1 and #api.nvim_buf_get_lines(view.buffer, 0, 1, false)[1] == 0
  add(view, vim.list_extend(fresh and { '## You', '' } or { '', '## You', '' }, text))
  local row = api.nvim_buf_line_count(view.buffer) - #text - 2
  view.question = api.nvim_buf_set_extmark(view.buffer, space, row, 0, { id = view.question })
  vim.bo[view.buffer].modifiable = true
  follow(view, those)
end

---What is written as the question, without the blank lines around it.
---@param view pointsman.View
---@return string
function M.question(view)
  local row = api.nvim_buf_get_extmark_by_id(view.buffer, space, view.question, {})[1]
  return vim.trim(table.concat(api.nvim_buf_get_lines(view.buffer, row + 1, -1, false), '\n'))
end

---Replaces the question that is being written.
---@param view pointsman.View
---@param text string
function M.set_question(view, text)
  local row = api.nvim_buf_get_extmark_by_id(view.buffer, space, view.question, {})[1]
  local those = followers(view.buffer)
  editing(view, function()
    api.nvim_buf_set_lines(view.buffer, row + 1, -1, false, vim.list_extend({ '' }, vim.split(text, '\n')))
  end)
  follow(view, those)
end

---Colours whole lines. Treesitter would read a growing paragraph anew for every drawing, which takes longer than a key
---may wait; so its colours come when the answer is complete, and these stand in.
---@param view pointsman.View
---@param from integer first row
---@param to integer the row behind the last one
local function colour(view, from, to)
  for at, line in ipairs(api.nvim_buf_get_lines(view.buffer, from, to, false)) do
    local fence = line:find('^%s*```') ~= nil
    local group = (view.fenced or fence) and '@markup.raw.block'
      or line:find('^#+ ') and '@markup.heading'
      or line:find('^> ') and '@markup.quote'
    view.fenced = fence ~= view.fenced
    if group and line ~= '' then
      local row = from + at - 1
      api.nvim_buf_set_extmark(view.buffer, colours, row, 0, { end_row = row, end_col = #line, hl_group = group })
    end
  end
end

---Leaves the colours to treesitter again. It reads the blocks, then what is in those that are seen, and then it draws:
---three steps, since all at once take longer than a key may wait, and its own steps let no key in between.
---@param view pointsman.View
local function colour_by_tree(view)
  local ok, parser = pcall(vim.treesitter.get_parser, view.buffer, 'markdown')
  if not ok or not parser then
    return
  end
  local turn = view.turn
  local steps = {
    function()
      parser:parse()
    end,
    function()
      for _, window in ipairs(vim.fn.win_findbuf(view.buffer)) do
        local below = vim.fn.line('w$', window) + 1 -- a line that does not fit is drawn as far as it does
        parser:parse({ vim.fn.line('w0', window) - 1, below })
      end
    end,
    function()
      api.nvim_buf_clear_namespace(view.buffer, colours, 0, -1)
      vim.treesitter.start(view.buffer, 'markdown')
    end,
  }
  local function step(at)
    vim.defer_fn(function()
      if views[view.buffer] == view and view.turn == turn then
        steps[at]()
        if steps[at + 1] then
          step(at + 1)
        end
      end
    end, 1)
  end
  step(1)
end

---Opens the place for an answer; from now on the buffer is the answer's, until `close`.
---@param view pointsman.View
function M.open(view)
  local those = followers(view.buffer)
  add(view, { '', '## Answer', '', '' })
  view.first, view.row, view.column = api.nvim_buf_line_count(view.buffer) - 1, 1, 0
  view.footer, view.fenced = nil, false
  vim.bo[view.buffer].modifiable = false
  view.turn = view.turn + 1
  pcall(vim.treesitter.stop, view.buffer)
  api.nvim_buf_clear_namespace(view.buffer, colours, 0, -1)
  colour(view, 0, view.first)
  follow(view, those)
end

---Draws what is new of the answer.
---@param view pointsman.View
---@param answer pointsman.Answer
---@param lost boolean
function M.draw(view, answer, lost)
  if not api.nvim_buf_is_loaded(view.buffer) then
    return
  end
  local fresh = lines.since(answer, view.row, view.column)
  if #fresh > 1 or fresh[1] ~= '' then
    local those = require('pointsman.config').get().follow and followers(view.buffer) or {}
    local row = view.first + view.row - 1
    for at = view.row, #answer.lines do
      if answer.kinds[at] == 'reasoning' then
        local number = view.first + at
        view.folds[number] = view.folds[number - 1] or number
      end
    end
    editing(view, function()
      api.nvim_buf_set_text(view.buffer, row, view.column, row, view.column, fresh)
    end)
    vim.bo[view.buffer].modifiable = false
    view.row, view.column = #answer.lines, #answer.lines[#answer.lines]
    colour(view, row, view.first + view.row - 1)
    follow(view, those)
  end
  if answer.started and not view.labelled then
    view.labelled = true
    local who = answer.started
    label(
      view,
      view.first - 2,
      ('%s:%s'):format(who.provider, who.model) .. (who.account and (' · ' .. who.account) or '')
    )
  end
  local text = answer.finished and footer.finished(answer) or footer.running(answer, lost)
  if text ~= view.foot or fresh[2] then
    view.foot = text
    view.footer = api.nvim_buf_set_extmark(view.buffer, space, view.first + view.row - 1, 0, {
      id = view.footer,
      virt_lines = { { { text, answer.finished and answer.finished.error and 'WarningMsg' or 'Comment' } } },
    })
  end
end

---The answer has ended: the buffer is the person's again.
---@param view pointsman.View
function M.close(view)
  local below = view.first + view.row -- the line of a fence may be concealed, and its virtual lines with it
  local foot = view.footer and api.nvim_buf_get_extmark_by_id(view.buffer, space, view.footer, { details = true })[3]
  M.ask(view)
  if foot then
    api.nvim_buf_set_extmark(view.buffer, space, below, 0, {
      id = view.footer,
      virt_lines = foot.virt_lines,
      virt_lines_above = true,
    })
  end
  view.footer, view.labelled, view.foot = nil, nil, nil
  colour_by_tree(view)
end

---Takes the last answer, and all below it, off the buffer again.
---@param view pointsman.View
function M.take_back(view)
  if not view.first then
    return
  end
  local row = view.first - 3
  for number in pairs(view.folds) do
    view.folds[number] = number <= row and view.folds[number] or nil
  end
  api.nvim_buf_clear_namespace(view.buffer, space, math.max(0, row), -1)
  editing(view, function()
    api.nvim_buf_set_lines(view.buffer, math.max(0, row), -1, false, {})
  end)
  view.footer, view.labelled, view.foot, view.question = nil, nil, nil, nil
end

---The fenced block of code that `row` (from 1) is in, else the last one above it.
---@param text string[]
---@param row integer
---@return string[]? code, string? language
function M.code_at(text, row)
  local best, from, fence, language
  for at, line in ipairs(text) do
    local mark, info = line:match('^%s*(```+)%s*(%S*)')
    if not fence and mark then
      from, fence, language = at, mark, info
    elseif fence and mark and #mark >= #fence and info == '' then
      if from > row and best then
        return best.code, best.language
      end
      best = { code = vim.list_slice(text, from + 1, at - 1), language = language }
      if row <= at then
        return best.code, best.language
      end
      fence = nil
    end
  end
  if best then
    return best.code, best.language
  end
end

return M
