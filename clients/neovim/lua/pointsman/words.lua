-- Errors and numbers in words, as people read them. Pure: values in, text out.
local M = {}

---An error of the protocol in one or two sentences: what happened, and what to do.
---@param err any `lsp.ResponseError`, `pointsman.ErrorData`, or text
---@return string
function M.sentence(err)
  if type(err) ~= 'table' then
    return tostring(err)
  end
  local data = type(err.data) == 'table' and err.data or err
  local text = data.message or err.message or 'Something went wrong.'
  local advice = M.advice(data)
  return advice ~= '' and (M.stop(text) .. ' ' .. advice) or text
end

---What others wrote, as a sentence that another can follow.
---@param text string
function M.stop(text)
  return text:find('[%.!?…:]$') and text or (text .. '.')
end

---What a next step is called here, by what the daemon calls it: its methods, and its command line.
M.here = {
  ['pointsman/attachChat'] = 'attach',
  ['pointsman/createSession'] = 'try',
  ['pointsman/currentModel'] = 'status',
  ['pointsman/getProvider'] = 'config',
  ['pointsman/listChats'] = 'attach',
  ['pointsman/listKeys'] = 'providers',
  ['pointsman/listModels'] = 'model',
  ['pointsman/listProviders'] = 'providers',
  ['pointsman/setKey'] = 'key',
  ['pointsman/signIn'] = 'login',
  ['pointsman/switchModel'] = 'model',
  ['pointsman log'] = 'log',
  ['pointsman login'] = 'login',
  ['pointsman models'] = 'model',
  ['pointsman providers'] = 'providers',
  ['pointsman restart'] = 'restart!',
  ['pointsman status'] = 'status',
  ['pointsman try'] = 'try',
  ['pointsman use'] = 'model',
}

---The next step, by the names that it has in this editor.
---@param data pointsman.ErrorData
---@return string
function M.advice(data)
  local text = (data.advice or ''):gsub('`([^`]+)`', function(name)
    local command, rest = name:match('^(pointsman%s%S+)(.*)$')
    local here = M.here[name] or M.here[command]
    return here and ('`:Pointsman %s%s`'):format(here, M.here[name] and '' or rest)
  end)
  if data.retryAfter and not text:find('%d+ s') then
    text = text .. (' It can be asked again in %s.'):format(M.duration(data.retryAfter))
  end
  return vim.trim(text)
end

---@param seconds number
function M.duration(seconds)
  if seconds >= 86400 then
    return ('%d d %d h'):format(seconds / 86400, seconds % 86400 / 3600)
  elseif seconds >= 3600 then
    return ('%d h %d min'):format(seconds / 3600, seconds % 3600 / 60)
  elseif seconds >= 60 then
    return ('%d min %02d s'):format(seconds / 60, seconds % 60)
  end
  return seconds < 10 and seconds % 1 ~= 0 and ('%.1f s'):format(seconds) or ('%d s'):format(seconds)
end

---@param tokens integer
function M.tokens(tokens)
  if tokens >= 1000000 then
    return ('%gM'):format(math.floor(tokens / 100000 + 0.5) / 10)
  elseif tokens >= 10000 then
    return ('%dk'):format(tokens / 1000 + 0.5)
  end
  return tostring(tokens)
end

---@param usd number
function M.usd(usd)
  if usd == 0 then
    return '$0'
  end
  return usd < 0.01 and ('$%.4f'):format(usd) or ('$%.2f'):format(usd)
end

---@param price? pointsman.Price
function M.price(price)
  if not price then
    return ''
  end
  if price.inputUsdPerMillion == 0 and price.outputUsdPerMillion == 0 then
    return 'free'
  end
  return ('$%g / $%g per M'):format(price.inputUsdPerMillion, price.outputUsdPerMillion)
end

---Columns under one another.
---@param rows string[][]
---@return string[]
function M.columns(rows)
  local widths = {}
  for _, row in ipairs(rows) do
    for at, cell in ipairs(row) do
      widths[at] = math.max(widths[at] or 0, vim.fn.strdisplaywidth(cell))
    end
  end
  return vim.tbl_map(function(row)
    local line = {}
    for at, cell in ipairs(row) do
      line[at] = cell .. (' '):rep(widths[at] - vim.fn.strdisplaywidth(cell))
    end
    return (table.concat(line, '  '):gsub('%s+$', ''))
  end, rows)
end

return M
