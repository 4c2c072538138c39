-- Steps that wait for one another, written one after another: a coroutine, and an error that ends it with words.
local M = {}

---Runs `steps`; what they raise is shown to the person.
---@param steps fun()
function M.run(steps)
  coroutine.wrap(function()
    local ok, problem = xpcall(steps, function(raised)
      return type(raised) == 'table' and raised or debug.traceback(raised)
    end)
    if not ok then
      require('pointsman.say').failure(problem)
    end
  end)()
end

---Gives what `begin` calls back with. For use inside `run`.
---@param begin fun(resume: fun(...))
---@return ...
function M.wait(begin)
  local this = coroutine.running()
  local results, waits ---@type table?, boolean?
  begin(function(...)
    if waits then
      local ok, problem = coroutine.resume(this, ...)
      if not ok then
        error(problem, 0)
      end
    else
      results = vim.F.pack_len(...)
    end
  end)
  if results then
    return vim.F.unpack_len(results)
  end
  waits = true
  return coroutine.yield()
end

---Asks the daemon, and gives its result; raises its error.
---@param method string without the prefix
---@param params? table
---@return any
function M.call(method, params)
  local err, result = M.wait(function(resume)
    require('pointsman.connection').request(method, params, resume)
  end)
  if err then
    error(err, 0)
  end
  return result
end

---Lets the person pick one of `items`; nil when nothing is picked.
---@generic T
---@param items T[]
---@param options table as for `vim.ui.select`
---@return T?
function M.pick(items, options)
  return M.wait(function(resume)
    vim.ui.select(items, options, resume)
  end)
end

return M
