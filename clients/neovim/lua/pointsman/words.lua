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

---What a next step is called here, by what the daemon calls it: its methods, its command line, and fields of its replies.
M.here = {
  ['pointsman/attachChat'] = ':Pointsman attach',
  ['pointsman/createSession'] = ':Pointsman try',
  ['pointsman/currentModel'] = ':Pointsman status',
  ['pointsman/getProvider'] = ':Pointsman config',
  ['pointsman/listChats'] = ':Pointsman attach',
  ['pointsman/listKeys'] = ':Pointsman providers',
  ['pointsman/listModels'] = ':Pointsman model',
  ['pointsman/listProviders'] = ':Pointsman providers',
  ['pointsman/setKey'] = ':Pointsman key',
  ['pointsman/signIn'] = ':Pointsman login',
  ['pointsman/switchModel'] = ':Pointsman model',
  ['pointsman config check'] = ':checkhealth pointsman',
  ['pointsman doctor'] = ':checkhealth pointsman',
  ['pointsman keys'] = ':Pointsman providers',
  ['pointsman keys add'] = ':Pointsman key',
  ['pointsman keys remove'] = ':Pointsman! key',
  ['pointsman log'] = ':Pointsman log',
  ['pointsman login'] = ':Pointsman login',
  ['pointsman login … --device'] = ':Pointsman! login',
  ['pointsman logout'] = ':Pointsman logout',
  ['pointsman models'] = ':Pointsman model',
  ['pointsman providers'] = ':Pointsman providers',
  ['pointsman restart'] = ':Pointsman! restart',
  ['pointsman status'] = ':Pointsman status',
  ['pointsman try'] = ':Pointsman try',
  ['pointsman use'] = ':Pointsman model',
}

---What to type where the daemon's own advice names nothing that can be typed here. `%s` is the provider.
M.steps = {
  InvalidKey = '`:Pointsman key %s` takes another key.',
  Overloaded = '`:Pointsman model` lists the others.',
  QuotaExhausted = '`:Pointsman model` lists the others.',
  RateLimited = '`:Pointsman model` lists the others.',
}

---A name by what it is called here, with what stands behind it.
---@param name string
---@return string?
local function as_here(name)
  local parts = vim.split(name, ' ')
  for last = #parts, 1, -1 do
    local here = M.here[table.concat(parts, ' ', 1, last)]
    if here then
      return ('`%s`'):format(table.concat({ here, unpack(parts, last + 1) }, ' '))
    end
  end
end

---The next step, by the names that it has in this editor.
---@param data pointsman.ErrorData
---@return string
function M.advice(data)
  local text = (data.advice or ''):gsub('`([^`]+)`', as_here)
  if data.retryAfter and not text:find('%d+ s') then
    text = text .. (' It can be asked again in %s.'):format(M.duration(data.retryAfter))
  end
  local step = M.steps[data.code]
  if step and not text:find('`:') then
    text = text .. ' ' .. step:format(data.provider or '')
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

--- What a chat waits for: its turn, the time at which somebody may be asked again, or the model.
---@param event pointsman.Waiting
function M.waiting(event)
  if event.place then
    local since = event.seconds >= 1 and (', for ' .. M.duration(event.seconds)) or ''
    return ('number %d in the queue%s%s'):format(event.place, event.queue and (' of ' .. event.queue) or '', since)
  end
  return event.left and ('asks again in ' .. M.duration(math.ceil(event.left)))
    or ('silent for ' .. M.duration(event.seconds))
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
