-- `:checkhealth pointsman`: what keeps the plugin from working, found one thing after another, and how to mend it.
-- Must never start a daemon.
local M = {}

local health = vim.health

local WITHIN = 30 -- seconds; a daemon that does not answer is given five

---@param command string[]
---@return vim.SystemCompleted? done
---@return string? complaint
local function run(command)
  local ok, process = pcall(vim.system, command, { text = true })
  if not ok then
    return nil, tostring(process)
  end
  local done = process:wait(WITHIN * 1000)
  if done.code == 124 then
    return nil, ('It gave no answer in %d seconds.'):format(WITHIN)
  end
  return done, vim.trim(done.stderr)
end

---@return string? program
local function look_for_program()
  local program = require('pointsman.config').get().cmd[1]
  local path = vim.fn.exepath(program)
  if path == '' then
    health.error(('`%s` can’t be run'):format(program), {
      'Install Pointsman, so that `pointsman` is on the PATH of Neovim,',
      'or name it: vim.g.pointsman = { cmd = "/path/to/pointsman" }',
    })
    return nil
  end
  local done, complaint = run({ path, '--version' })
  if not done or done.code ~= 0 then
    health.error(('`%s` does not run'):format(path), complaint)
    return nil
  end
  health.ok(('program: %s (%s)'):format(path, vim.trim(done.stdout)))
  return path
end

---What `pointsman doctor` finds: folder, lock, socket, daemon, vault, configuration.
---@param program string
local function ask_doctor(program)
  local done, complaint = run({ program, 'doctor', '--json' })
  local ok, findings = pcall(vim.json.decode, done and done.stdout or '')
  if not ok or type(findings) ~= 'table' then
    return health.error('`pointsman doctor` found nothing out', complaint)
  end
  for _, finding in ipairs(findings) do
    local text = ('%s: %s'):format(finding.subject, finding.text)
    if finding.ok then
      health.ok(text)
    else
      health.error(text, finding.remedy ~= '' and finding.remedy or nil)
    end
  end
end

local function look_at_connection()
  local connection, protocol = require('pointsman.connection'), require('pointsman.protocol')
  if not connection.client then
    return health.info('not connected yet; the first :Pointsman command connects')
  end
  local server = connection.server
  if not server then
    return health.error('what `cmd` runs is not Pointsman', 'Look at vim.g.pointsman.cmd.')
  elseif server.protocol ~= protocol.protocol then
    health.error(
      ('the daemon is %s and speaks protocol %d, this plugin %d'):format(
        server.version,
        server.protocol,
        protocol.protocol
      ),
      'Update the older of the two, then :Pointsman! restart'
    )
  else
    health.ok(('connected to %s, protocol %d, as %s'):format(server.version, server.protocol, server.windowId))
  end
  for file, problem in pairs(require('pointsman.state').problems) do
    health.warn(('%s:%d: %s'):format(file, problem.line or 1, problem.message), problem.hint)
  end
  local listed
  connection.request('listProviders', nil, function(err, result)
    listed = err and {} or result.providers
  end)
  vim.wait(3000, function()
    return listed ~= nil
  end, 10)
  local usable = vim.tbl_filter(function(provider)
    return provider.state == 'active' or provider.state == 'available'
  end, listed or {})
  local names = vim.tbl_map(function(provider)
    return provider.id
  end, usable)
  if #names == 0 then
    health.warn('no provider can be used', ':Pointsman key or :Pointsman login sets one up.')
  else
    health.ok('providers: ' .. table.concat(names, ', '))
  end
end

function M.check()
  health.start('pointsman')
  if vim.fn.has('nvim-0.11') == 0 then
    return health.error('Neovim 0.11 or newer is needed')
  end
  health.ok('Neovim ' .. tostring(vim.version()))
  if not pcall(vim.treesitter.language.inspect, 'markdown') then
    health.warn('no treesitter parser for markdown: chats are shown without colours')
  end
  local program = look_for_program()
  if not program then
    return
  end
  ask_doctor(program)
  look_at_connection()
end

return M
