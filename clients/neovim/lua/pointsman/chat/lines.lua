-- Events of a chat in, lines of markdown out. Pure: knows no buffer, no window, no clock and no connection.
-- Lines only ever grow at their end, so that whoever draws them has to draw only what is new.
local words = require('pointsman.words')

local M = {}

---@alias pointsman.LineKind "text"|"reasoning"|"tool"|"note"|"error"

---@class pointsman.Answer
---@field seen integer number of the last event that was taken
---@field lines string[]
---@field kinds pointsman.LineKind[] of each line
---@field open? pointsman.LineKind what the last block is
---@field call? { index: integer, name: string, arguments: string } the tool call that is being told
---@field started? pointsman.Started
---@field in_vain? pointsman.AttemptFailed the last attempt, where no other followed
---@field waiting? pointsman.Waiting what is waited for since nothing comes
---@field usage? pointsman.Usage
---@field cost? pointsman.Cost
---@field finished? pointsman.Finished
---@field result? pointsman.ChatResult

---@return pointsman.Answer
function M.new()
  return { seen = -1, lines = { '' }, kinds = { 'text' } }
end

---@param answer pointsman.Answer
---@param kind pointsman.LineKind
---@param text string
local function append(answer, kind, text)
  local prefix = kind == 'reasoning' and '> ' or ''
  local last = #answer.lines
  local from = 1
  while true do
    local at = text:find('\n', from, true)
    answer.lines[last] = answer.lines[last] .. text:sub(from, at and at - 1)
    if not at then
      return
    end
    last, from = last + 1, at + 1
    answer.lines[last], answer.kinds[last] = prefix, kind
  end
end

---Begins a block of that kind, a blank line below what there is.
---@param answer pointsman.Answer
---@param kind pointsman.LineKind
local function begin(answer, kind)
  local last = #answer.lines
  if answer.lines[last] ~= '' then
    answer.lines[last + 1], answer.kinds[last + 1] = '', kind == 'reasoning' and 'text' or kind
    last = last + 2
  elseif last > 1 and answer.lines[last - 1] ~= '' then
    last = last + 1
  end
  answer.lines[last], answer.kinds[last] = kind == 'reasoning' and '> ' or '', kind
  answer.open = kind
end

---JSON with a line for each member, its keys in order.
---@param value any
---@param indent string
---@return string
local function pretty(value, indent)
  if type(value) ~= 'table' or next(value) == nil then
    return vim.json.encode(value)
  end
  local inner, members = indent .. '  ', {}
  if vim.islist(value) then
    for _, member in ipairs(value) do
      members[#members + 1] = inner .. pretty(member, inner)
    end
    return '[\n' .. table.concat(members, ',\n') .. '\n' .. indent .. ']'
  end
  local keys = vim.tbl_keys(value)
  table.sort(keys)
  for _, key in ipairs(keys) do
    members[#members + 1] = inner .. vim.json.encode(key) .. ': ' .. pretty(value[key], inner)
  end
  return '{\n' .. table.concat(members, ',\n') .. '\n' .. indent .. '}'
end

---@param answer pointsman.Answer
local function close_call(answer)
  local call = answer.call
  if not call then
    return
  end
  answer.call = nil
  local ok, value = pcall(vim.json.decode, call.arguments)
  begin(answer, 'tool')
  append(answer, 'tool', ('**Tool call** `%s`\n```json\n'):format(call.name))
  append(answer, 'tool', (ok and type(value) == 'table' and pretty(value, '') or call.arguments) .. '\n```')
end

---@param answer pointsman.Answer
---@param kind "note"|"error"
---@param text string
local function say(answer, kind, text)
  begin(answer, kind)
  append(answer, kind, text)
end

---@type table<string, fun(answer: pointsman.Answer, event: table)>
local take = {}

function take.started(answer, event)
  answer.started = event
end

function take.text(answer, event)
  if answer.open ~= 'text' then
    begin(answer, 'text')
  end
  append(answer, 'text', event.text)
end

function take.reasoning(answer, event)
  if answer.open ~= 'reasoning' then
    begin(answer, 'reasoning')
  end
  append(answer, 'reasoning', event.text)
end

function take.toolCall(answer, event)
  if not answer.call or answer.call.index ~= event.index then
    close_call(answer)
    answer.call = { index = event.index, name = '', arguments = '' }
  end
  answer.call.name = event.name or answer.call.name
  answer.call.arguments = answer.call.arguments .. event.arguments
end

function take.attemptFailed(answer, event)
  if not event.next then
    answer.in_vain = event -- the end will most likely say the same
    return
  end
  say(answer, 'note', ('*%s: %s* *Asking %s.*'):format(event.model, words.stop(event.error.message), event.next))
end

function take.notice(answer, event)
  say(answer, 'note', ('*%s*'):format(event.text))
end

function take.waiting(answer, event)
  answer.waiting = event
end

function take.usage(answer, event)
  answer.usage, answer.cost = event.usage, event.cost or answer.cost
end

function take.finished(answer, event)
  answer.finished = event
  local failed = answer.in_vain
  if failed and not (event.error and event.error.message == failed.error.message) then
    say(answer, 'note', ('*%s: %s*'):format(failed.model, words.stop(failed.error.message)))
  end
  if event.error then
    say(
      answer,
      'error',
      (event.reason == 'interrupted' and '**The answer broke off.** ' or '**No answer.** ')
        .. words.sentence(event.error)
    )
  end
  if event.resume and #event.resume > 0 then
    say(answer, 'note', '*Could go on:* `' .. table.concat(event.resume, '`, `') .. '`')
  end
end

---Takes the events numbered `from`, `from` + 1, …; those that were seen are passed over, and those of an unknown type.
---@param answer pointsman.Answer
---@param from integer
---@param events pointsman.ChatEvent[]
function M.feed(answer, from, events)
  for at, event in ipairs(events) do
    local number = from + at - 1
    if number > answer.seen then
      answer.seen = number
      if event.type ~= 'waiting' then
        answer.waiting = nil
      end
      if event.type ~= 'toolCall' and event.type ~= 'usage' and event.type ~= 'waiting' then
        close_call(answer)
      end
      local taker = take[event.type]
      if taker then
        taker(answer, event)
      end
    end
  end
end

---Ends an answer of which nothing more will come, with the error that says why.
---@param answer pointsman.Answer
---@param err pointsman.ErrorData
function M.fail(answer, err)
  if not answer.finished then
    close_call(answer)
    take.finished(answer, { reason = answer.open and 'interrupted' or 'error', error = err })
  end
end

---What is new behind line `row` (from 1) and its first `column` bytes, as the end of that line and the lines after it.
---@param answer pointsman.Answer
---@param row integer
---@param column integer
---@return string[]
function M.since(answer, row, column)
  local fresh = { answer.lines[row]:sub(column + 1) }
  for at = row + 1, #answer.lines do
    fresh[#fresh + 1] = answer.lines[at]
  end
  return fresh
end

return M
