-- What stands below an answer and above a chat, in words. Pure: values in, text out.
local words = require('pointsman.words')

local M = {}

local REASONS = {
  length = 'cut at the length limit',
  toolCalls = 'asks for tools',
  contentFilter = 'stopped by a content filter',
  cancelled = 'cancelled',
  interrupted = 'broken off',
}

---@param answer pointsman.Answer
---@param lost boolean whether the connection is gone for now
---@return string
function M.running(answer, lost)
  if lost then
    return 'The connection is gone; the answer goes on when it is back.'
  end
  local parts = {}
  if answer.call then
    parts[1] = ('calls %s, %d bytes so far'):format(answer.call.name, #answer.call.arguments)
  elseif answer.waiting then
    parts[1] = words.waiting(answer.waiting)
  elseif answer.open == 'reasoning' then
    parts[1] = 'thinking'
  else
    parts[1] = answer.open and 'answering' or 'asking'
  end
  if answer.usage then
    table.insert(parts, words.tokens(answer.usage.outputTokens) .. ' tokens')
  end
  return '… ' .. table.concat(parts, ' · ')
end

---@param answer pointsman.Answer
---@return string
function M.finished(answer)
  local result, parts = answer.result, {}
  local usage = result and result.usage or answer.usage
  local cost = result and result.cost or answer.cost
  local reason = REASONS[answer.finished and answer.finished.reason or '']
  table.insert(parts, reason)
  if usage then
    local sign = usage.exact and '' or '≈'
    table.insert(
      parts,
      ('%s%s in, %s%s out'):format(sign, words.tokens(usage.inputTokens), sign, words.tokens(usage.outputTokens))
    )
    if usage.cachedInputTokens then
      table.insert(parts, words.tokens(usage.cachedInputTokens) .. ' cached')
    end
  end
  if cost then
    table.insert(parts, (cost.exact and '' or '≈') .. words.usd(cost.usd))
  end
  if result then
    local first = result.timing.firstTokenMs
    local total = words.duration(result.timing.totalMs / 1000)
    table.insert(parts, first and ('%s (first %s)'):format(total, words.duration(first / 1000)) or total)
    table.insert(parts, result.account)
  end
  return table.concat(parts, ' · ')
end

---@param selection? pointsman.Selection
---@param own? string the model that this chat alone is asked with
---@param state string
---@return string
function M.header(selection, own, state)
  local model = own or (selection and selection.displayName ~= '' and selection.displayName) or 'no model'
  local scope = own and 'this chat' or (selection and selection.scope) or '?'
  local trouble = not own and selection and selection.state ~= 'available' and ('  ✗ ' .. selection.state) or ''
  return (' %s  (%s)%s  %s'):format(model, scope, trouble, state)
end

return M
