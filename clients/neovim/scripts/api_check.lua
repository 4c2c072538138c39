-- nvim --clean -l api_check.lua DIR...   Poor man's type check when no LuaLS is at hand:
--  1. every file parses;  2. every `vim.a.b.c` it names exists in THIS Neovim (run it per version);
--  3. none of them is marked @deprecated in the runtime;  4. help tags build, links lead somewhere, vimdoc parses.
local bad = 0
local function fail(...)
  bad = bad + 1
  print(string.format(...))
end
-- options, variables and environments are dynamic; vim.fn.* is checked with exists()
local dynamic =
  { g = 1, b = 1, w = 1, t = 1, v = 1, o = 1, bo = 1, wo = 1, go = 1, opt = 1, opt_local = 1, env = 1, cmd = 1 }
local deprecated = {}
local function src(p)
  local f = io.open(p)
  local s = f and f:read('*a') or ''
  if f then
    f:close()
  end
  return s
end
for _, f in ipairs(vim.fn.globpath(vim.env.VIMRUNTIME .. '/lua/vim', '**/*.lua', true, true)) do
  local dep
  for line in vim.gsplit(src(f), '\n') do
    if line:find('^%-%-%-?%s*@deprecated') then
      dep = true
    elseif dep and not line:find('^%-%-') then
      local n = line:match('^function ([%w_.]+)')
      if n then
        local mod = 'vim.' .. f:match('/lua/vim/(.*)%.lua$'):gsub('/', '.')
        deprecated[(n:gsub('^M%.', mod .. '.'):gsub('^lsp%.', 'vim.lsp.'))] = true
      end
      dep = nil
    end
  end
end
local function check(path)
  local s = src(path)
  local ok, err = loadstring(s, '@' .. path)
  if not ok then
    return fail('%s', err)
  end
  local root = vim.treesitter.get_string_parser(s, 'lua'):parse()[1]:root()
  local q = vim.treesitter.query.parse('lua', '(dot_index_expression) @d')
  for _, node in q:iter_captures(root, s) do
    local t = vim.treesitter.get_node_text(node, s)
    if t:match('^vim[%w_.]*$') and node:parent():type() ~= 'dot_index_expression' then
      local parts = vim.split(t, '.', { plain = true })
      local row = node:range()
      if parts[2] == 'fn' then
        if vim.fn.exists('*' .. parts[3]) == 0 then
          fail('%s:%d: no %s', path, row + 1, t)
        end
      elseif not dynamic[parts[2]] then
        local v = vim
        for i = 2, #parts do
          v = (type(v) == 'table' or type(v) == 'userdata') and v[parts[i]] or nil
          if v == nil then
            fail('%s:%d: %s does not exist in %s', path, row + 1, t, tostring(vim.version()))
            break
          end
          if type(v) == 'function' then
            break
          end
        end
        if deprecated[t] then
          fail('%s:%d: %s is deprecated', path, row + 1, t)
        end
      end
    end
  end
end
---@param folder string
---@return table<string, true>
local function tags(folder)
  local found = {}
  for line in vim.gsplit(src(folder .. '/tags'), '\n') do
    found[line:match('^[^\t]*')] = true
  end
  return found
end

for i = 1, #arg do
  for _, f in ipairs(vim.fn.globpath(arg[i], '**/*.lua', true, true)) do
    check(f)
  end
  local doc = arg[i] .. '/doc'
  if vim.fn.isdirectory(doc) == 1 then
    local ok, err = pcall(vim.cmd.helptags, doc)
    if not ok then
      fail('%s', err)
    end
    local own, others = tags(doc), tags(vim.env.VIMRUNTIME .. '/doc')
    for _, f in ipairs(vim.fn.globpath(doc, '*.txt', true, true)) do
      for link in src(f):gmatch('|([^|%s]+)|') do
        if not own[link] and not others[link] then
          fail('%s: |%s| leads nowhere', f, link)
        end
      end
      local root = vim.treesitter.get_string_parser(src(f), 'vimdoc'):parse()[1]:root()
      if root:has_error() then
        fail('%s: vimdoc syntax error', f)
      end
    end
  end
end
print(bad == 0 and 'ok' or (bad .. ' problems'))
os.exit(bad == 0 and 0 or 1)
