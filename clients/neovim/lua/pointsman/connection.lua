-- The one connection of this Neovim: begun when it is first wanted, and again whenever it ends by itself.
-- Knows what state it is in and who waits for it; what is said over it belongs to others.
local protocol = require('pointsman.protocol')

local M = {
  client = nil, ---@type vim.lsp.Client?
  server = nil, ---@type pointsman.ServerOptions? what the daemon said of itself
  returning = false, -- whether it has ended by itself and is being opened again
}

M.CLIENT = 'neovim'
M.VERSION = '0.1.0'
local SLOTS = 64
local TRIES = { first = 2, back = 20, pause = 40 } -- for a window that is taken; milliseconds
local BACKOFF = { first = 100, most = 10000 } -- milliseconds

---@type table<string, fun(params: table)[]>
local listeners = {}
---@type fun(err: any)[] those who wait until it is open
local waiting = {}
local transport ---@type pointsman.Transport?
local opening, wanted = false, false
local delay = BACKOFF.first
local slot = 0
local had_window, tries = false, 0
local last_failure ---@type lsp.ResponseError?
local open_now ---@type fun()

---Has `listener` told what the daemon says under that name, or `opened` and `ended` of the connection itself.
---@param name string
---@param listener fun(params: table)
function M.on(name, listener)
  listeners[name] = listeners[name] or {}
  table.insert(listeners[name], listener)
end

---@param name string
---@param params table
function M.told(name, params)
  for _, listener in ipairs(listeners[name] or {}) do
    listener(params)
  end
end

---Whether this Neovim was given a name of its own (`--listen`), that it has again when it is started anew.
---@param server string
local function is_named(server)
  return server ~= '' and not vim.fs.basename(server):find('^nvim%.%d+%.%d+$') and not server:find('/nvim%.[^/]+/')
end

---The same after a restart: the server's name, else the directory and the first slot that nobody has there.
---@return string
function M.window_id()
  local server = vim.v.servername
  local place = is_named(server) and server or (vim.fn.getcwd(-1, -1) .. '#' .. slot)
  return 'neovim-' .. vim.fn.sha256(vim.uv.os_gethostname() .. ':' .. place):sub(1, 16)
end

---@return pointsman.EditorOptions
function M.introduction()
  local config = require('pointsman.config').get()
  return {
    client = M.CLIENT,
    clientVersion = M.VERSION,
    windowId = M.window_id(),
    workspaceTrusted = config.workspace_trusted,
    remote = config.remote,
  }
end

---@param err any
local function settle(err)
  local those = waiting
  waiting = {}
  for _, callback in ipairs(those) do
    callback(err)
  end
end

local function again_later()
  local pause = delay
  delay = math.min(math.max(delay * 2, BACKOFF.first), BACKOFF.most)
  vim.defer_fn(function()
    if wanted and not M.client and not opening then
      open_now()
    end
  end, pause)
end

---@param said string
local function ended(said)
  local was_open = M.client ~= nil
  M.client, transport, opening, M.server = nil, nil, false, nil
  M.returning = M.returning or (was_open and wanted)
  last_failure = require('pointsman.transport').failure(
    'DaemonUnreachable',
    said ~= '' and said or 'The connection to the daemon has ended.',
    ':checkhealth pointsman looks closer.'
  )
  if was_open then
    M.told('ended', { message = said })
    if wanted then
      again_later()
    end
  else
    settle(last_failure)
    if M.returning then
      again_later()
    end
  end
end

---The `cmd` of the LSP client.
---@param dispatchers vim.lsp.rpc.Dispatchers
function M.transport(dispatchers)
  local this, failure ---@type pointsman.Transport?, lsp.ResponseError?
  this, failure = require('pointsman.transport').run(
    require('pointsman.config').get().cmd,
    dispatchers,
    function(_, said)
      if transport == this then
        ended(said)
      end
    end
  )
  if not this then
    opening = false
    settle(failure)
    error(failure and failure.message, 0)
  end
  transport = this
  return this
end

---This window's name is in use: by a run of our own that is just leaving, or by another Neovim, which has it for good.
local function taken()
  tries = tries + 1
  if tries > (had_window and TRIES.back or TRIES.first) then
    slot, tries = slot + 1, 0
    return open_now()
  end
  vim.defer_fn(open_now, TRIES.pause)
end

---@param client vim.lsp.Client
---@param result lsp.InitializeResult
function M.opened(client, result)
  local server = vim.tbl_get(result, 'capabilities', 'experimental', 'pointsman') --[[@as pointsman.ServerOptions?]]
  if server and server.windowTaken and not is_named(vim.v.servername) and slot < SLOTS then
    transport = nil
    client:stop(true)
    return taken()
  end
  had_window, tries = true, 0
  M.client, M.server, opening, wanted, delay, last_failure = client, server, false, true, BACKOFF.first, nil
  M.returning = false
  if server and server.protocol ~= protocol.protocol then
    require('pointsman.say').tell(
      ('The daemon speaks protocol %d, this plugin %d. Update the older of the two, then :Pointsman restart.'):format(
        server.protocol,
        protocol.protocol
      ),
      vim.log.levels.WARN
    )
  end
  require('pointsman.state')
  M.told('opened', server or {})
  settle(nil)
end

open_now = function()
  opening = true
  local config = vim.lsp.config['pointsman']
  if not config then
    opening = false
    return settle('lsp/pointsman.lua is not on the runtimepath')
  end
  config = vim.tbl_extend('force', vim.deepcopy(config), { root_dir = require('pointsman.config').workspace() })
  config.name, config.filetypes = 'pointsman', nil
  local ok, problem = pcall(vim.lsp.start, config, {
    attach = false,
    silent = true,
    reuse_client = function()
      return false
    end,
  })
  if not ok then
    opening = false
    settle(problem)
  end
end

---Calls back once the connection is open, or with why it can't be had.
---@param callback fun(err: any)
function M.open(callback)
  wanted = true
  if M.client and not M.client:is_stopped() then
    return callback(nil)
  end
  table.insert(waiting, callback)
  if not opening then
    open_now()
  end
end

---Asks the daemon. The callback is called exactly once, whatever happens to the connection.
---@param method string without the prefix
---@param params? table
---@param callback fun(err: any, result: any)
---@return fun() cancel
function M.request(method, params, callback)
  local id, gone ---@type integer?, boolean?
  M.open(function(err)
    if err then
      return callback(err, nil)
    elseif gone then
      return callback({ message = 'Cancelled.', code = -32800 }, nil)
    end
    if params == nil or next(params) == nil then
      params = vim.empty_dict()
    end
    local sent, number =
      assert(transport).request(protocol.methods[method] or ('pointsman/' .. method), params, callback)
    if not sent then
      callback(last_failure or { message = 'The connection to the daemon has ended.' }, nil)
    end
    id = number
  end)
  return function()
    gone = true
    if id and transport then
      transport.notify('$/cancelRequest', { id = id })
    end
  end
end

---Ends the connection and opens a new one.
---@param callback fun(err: any)
function M.reopen(callback)
  delay = BACKOFF.first
  if not M.client then
    return M.open(callback)
  end
  wanted, M.returning = true, true
  delay = 0
  table.insert(waiting, callback)
  M.client:stop(true)
end

return M
