-- LSP frames: bytes in, bodies out. Knows no process, no JSON and no Neovim API.
local M = {}

---@param body string
---@return string
function M.frame(body)
  return 'Content-Length: ' .. #body .. '\r\n\r\n' .. body
end

---Gives a function that takes the next bytes and returns the bodies that they complete.
---@return fun(chunk: string): string[]
function M.reader()
  local parts, have = {}, 0 ---@type string[], integer
  local wanted ---@type integer? bytes that have to be there before it is worth looking

  return function(chunk)
    parts[#parts + 1] = chunk
    have = have + #chunk
    if wanted and have < wanted then
      return {}
    end
    local data, bodies, at = table.concat(parts), {}, 1
    wanted = nil
    while true do
      local first, last = data:find('\r\n\r\n', at, true)
      if not first then
        break
      end
      local length = tonumber(data:sub(at, first - 1):lower():match('content%-length:%s*(%d+)'))
      if not length then
        error('a frame without Content-Length')
      end
      if #data < last + length then
        wanted = last + length - at + 1
        break
      end
      bodies[#bodies + 1] = data:sub(last + 1, last + length)
      at = last + length + 1
    end
    data = data:sub(at)
    parts, have = { data }, #data
    return bodies
  end
end

return M
