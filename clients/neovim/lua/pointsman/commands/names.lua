-- Names to complete with, as the daemon lists them. Waits for them, since a command line can't be completed later.
-- Must never complain: where nothing is listed, nothing is completed.
local connection = require('pointsman.connection')

local M = {}

local WITHIN = 4000 -- milliseconds; <C-c> ends it at once

---@class pointsman.Listing
---@field method string that lists them
---@field field string of its result
---@field name string the field that is the name
---@field until_told string what the daemon says when they are others

---@type table<string, pointsman.Listing>
local listings = {
  models = { method = 'listModels', field = 'models', name = 'model', until_told = 'providersChanged' },
  providers = { method = 'listProviders', field = 'providers', name = 'id', until_told = 'providersChanged' },
  chats = { method = 'listChats', field = 'chats', name = 'chatId', until_told = 'chatsChanged' },
}

local kept = {} ---@type table<string, string[]>

for what, listing in pairs(listings) do
  connection.on(listing.until_told, function()
    kept[what] = nil
  end)
end
connection.on('ended', function()
  kept = {}
end)

---@param what "models"|"providers"|"chats"
---@return string[]
function M.of(what)
  if kept[what] then
    return kept[what]
  end
  local listing, done, names = listings[what], false, nil ---@type pointsman.Listing, boolean, string[]?
  connection.request(listing.method, nil, function(err, result)
    done = true
    names = not err and vim.tbl_map(function(one)
      return one[listing.name]
    end, result[listing.field]) or nil
  end)
  vim.wait(WITHIN, function()
    return done
  end, 5)
  kept[what] = names
  return names or {}
end

return M
