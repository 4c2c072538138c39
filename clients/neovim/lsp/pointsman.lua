-- What `vim.lsp.config('pointsman')` starts from: the one connection of this Neovim, for chats and for diagnostics.
-- Must never `require` while it is read: what it needs comes with the first connection.

---Files that the daemon tells mistakes of.
---@param file string
local function is_ours(file)
  local name = vim.fs.basename(file)
  return name == 'pointsman.toml' or name == '.pointsman.toml' or file:find('/pointsman/providers/[^/]+%.toml$') ~= nil
end

---@param method string
local function told(method)
  return function(_, params)
    require('pointsman.connection').told(method, params)
  end
end

---@type vim.lsp.Config
return {
  cmd = function(dispatchers)
    return require('pointsman.connection').transport(dispatchers)
  end,
  filetypes = { 'toml' },
  root_dir = function(buffer, start)
    if is_ours(vim.api.nvim_buf_get_name(buffer)) then
      start(require('pointsman.config').workspace())
    end
  end,
  reuse_client = function(client, config)
    return client.name == config.name
  end,
  before_init = function(params)
    params.initializationOptions = { pointsman = require('pointsman.connection').introduction() }
  end,
  on_init = function(client, result)
    require('pointsman.connection').opened(client, result)
  end,
  handlers = {
    ['pointsman/chatEvents'] = told('chatEvents'),
    ['pointsman/selectionChanged'] = told('selectionChanged'),
    ['pointsman/providersChanged'] = told('providersChanged'),
    ['pointsman/chatsChanged'] = told('chatsChanged'),
    ['pointsman/sessionsChanged'] = told('sessionsChanged'),
    ['pointsman/signInCode'] = told('signInCode'),
    ['pointsman/configProblem'] = told('configProblem'),
    ['window/showMessage'] = told('showMessage'),
  },
}
