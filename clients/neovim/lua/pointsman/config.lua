-- What the user has set in `vim.g.pointsman`, with what holds where nothing is set. Read on first use; there is no setup().
local M = {}

---@class pointsman.Config
---@field cmd string[] the program that connects, with its arguments
---@field throttle_ms integer milliseconds between two drawings of an answer that streams
---@field follow boolean whether a chat's window follows the answer while its cursor is on the last line
---@field split string how a chat's window is opened: any `:split` command with its modifiers
---@field system? string the system prompt of chats
---@field options? pointsman.Options how to sample
---@field workspace_trusted boolean whether a project's `.pointsman.toml` may name providers of its own
---@field remote? boolean whether your browser runs on another machine; absent: seen by `SSH_CONNECTION`
---@field connect boolean whether the statusline's first use connects
---@field icons table<string, string> signs of the statusline and the chat

---@class pointsman.UserConfig what `vim.g.pointsman` may hold; every field may be left out
---@field cmd? string|string[]
---@field throttle_ms? integer
---@field follow? boolean
---@field split? string
---@field system? string
---@field options? pointsman.Options
---@field workspace_trusted? boolean
---@field remote? boolean
---@field connect? boolean
---@field icons? table<string, string>

---@type pointsman.Config
M.defaults = {
  cmd = { 'pointsman', 'connect' },
  throttle_ms = 30,
  follow = true,
  split = 'botright vsplit',
  workspace_trusted = false,
  connect = true,
  icons = { model = '◆', unavailable = '✗', unconfigured = '?', answering = '…', session = '⏱' },
}

---@return pointsman.Config
function M.get()
  local user = vim.g.pointsman or {}
  if type(user) == 'function' then
    user = user()
  end
  local all = vim.tbl_deep_extend('force', M.defaults, user)
  if type(all.cmd) == 'string' then
    all.cmd = { all.cmd, 'connect' }
  end
  if all.remote == nil then
    all.remote = vim.env.SSH_CONNECTION ~= nil and vim.env.DISPLAY == nil and vim.env.WAYLAND_DISPLAY == nil
  end
  return all
end

---The folder whose choices apply: that of the project which the current directory belongs to.
---@return string
function M.workspace()
  local here = vim.fn.getcwd(-1, -1)
  return vim.uv.fs_realpath(vim.fs.root(here, { '.pointsman.toml', '.git' }) or here) or here
end

return M
