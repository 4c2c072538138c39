-- One run of `pointsman connect`, as the `cmd` of an LSP client: requests out, replies and notifications in.
-- Unlike Neovim's own, every request is answered: also one that was cancelled, and one whose daemon has died.
-- Knows no method.
local frames = require('pointsman.frames')

local M = {}

---@class pointsman.Failure an error as people see it, and as the protocol has it
---@field code string
---@field message string
---@field advice string

---@class pointsman.Transport: vim.lsp.rpc.PublicClient
---@field complaint fun(): string what the program has said on its standard error

---@param code string
---@param message string
---@param advice string
---@return lsp.ResponseError
function M.failure(code, message, advice)
  return { code = -32099, message = message, data = { code = code, message = message, advice = advice } }
end

---The last thing that the program said of itself.
---@param stderr string
local function complaint(stderr)
  local last = ''
  for line in vim.gsplit(vim.trim(stderr), '\n') do
    last = line ~= '' and line or last
  end
  return (last:gsub('^pointsman: ', ''))
end

---@param command string[]
---@param dispatchers vim.lsp.rpc.Dispatchers
---@param ended fun(code: integer, complaint: string) told when the program has ended, before anything else is
---@return pointsman.Transport? transport
---@return lsp.ResponseError? failure why it could not be run
function M.run(command, dispatchers, ended)
  if vim.fn.executable(command[1]) == 0 then
    return nil,
      M.failure(
        'NoProgram',
        ('%s can’t be run.'):format(command[1]),
        'Install Pointsman, or set vim.g.pointsman = { cmd = "/path/to/pointsman" }. :checkhealth pointsman looks closer.'
      )
  end
  local waiting, number, stderr, closing = {}, 0, {}, false ---@type table<integer, function>, integer, string[], boolean
  local queue, scheduled = {}, false ---@type table[], boolean
  local process ---@type vim.SystemObj

  local function send(message)
    if closing or not process then
      return false
    end
    message.jsonrpc = '2.0'
    return pcall(process.write, process, frames.frame(vim.json.encode(message)))
  end

  local function serve(message)
    coroutine.wrap(function()
      local ok, result, err = pcall(dispatchers.server_request, message.method, message.params)
      if not ok then
        result, err = nil, { code = -32603, message = tostring(result) }
      end
      if result == nil and not err then
        result = vim.NIL
      end
      send({ id = message.id, result = result, error = err })
    end)()
  end

  local function take(message)
    if message.method and message.id ~= nil then
      serve(message)
    elseif message.method then
      dispatchers.notification(message.method, message.params)
    else
      local callback = waiting[message.id]
      waiting[message.id] = nil
      if callback then
        callback(message.error, message.result)
      end
    end
  end

  -- All that one chunk brought is worked off in one turn of the main loop.
  local function work_off()
    scheduled = false
    local ready = queue
    queue = {}
    for _, message in ipairs(ready) do
      local ok, problem = xpcall(take, debug.traceback, message)
      if not ok then
        vim.schedule(function()
          error(problem, 0)
        end)
      end
    end
  end

  local read = frames.reader()
  local function on_stdout(_, chunk)
    if not chunk then
      return
    end
    local ok, bodies = pcall(read, chunk)
    if not ok then
      return process:kill('sigterm')
    end
    for _, body in ipairs(bodies) do
      queue[#queue + 1] = vim.json.decode(body, { luanil = { object = true } })
    end
    if not scheduled and #queue > 0 then
      scheduled = true
      vim.schedule(work_off)
    end
  end

  local function on_exit(result)
    closing = true
    vim.schedule(function()
      work_off()
      local said = complaint(table.concat(stderr))
      local pending = waiting
      waiting = {}
      ended(result.code, said)
      local failure = M.failure(
        'DaemonUnreachable',
        said ~= '' and said or 'The connection to the daemon has ended.',
        'It is opened again by itself; ask again then. :Pointsman restart does it at once.'
      )
      for _, callback in pairs(pending) do
        callback(failure, nil)
      end
      dispatchers.on_exit(0, 15) -- what there is to say has been said
    end)
  end

  local started, problem = pcall(vim.system, command, {
    stdin = true,
    stdout = on_stdout,
    stderr = function(_, chunk)
      stderr[#stderr + 1] = chunk
    end,
    detach = true,
  }, on_exit)
  if not started then
    return nil, M.failure('NoProgram', tostring(problem), ':checkhealth pointsman looks closer.')
  end
  process = problem --[[@as vim.SystemObj]]

  return {
    complaint = function()
      return complaint(table.concat(stderr))
    end,
    request = function(method, params, callback, on_reply)
      number = number + 1
      local id = number
      waiting[id] = function(err, result)
        if on_reply then
          on_reply(id)
        end
        callback(err, result)
      end
      if not send({ id = id, method = method, params = params }) then
        waiting[id] = nil
        return false
      end
      return true, id
    end,
    notify = function(method, params)
      return send({ method = method, params = params })
    end,
    is_closing = function()
      return closing
    end,
    terminate = function()
      closing = true
      pcall(process.write, process, nil)
      process:kill('sigterm')
    end,
  }
end

return M
