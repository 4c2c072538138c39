-- lualine: sections = { lualine_x = { 'pointsman' } }
local component = require('lualine.component'):extend()

function component.update_status(_)
  -- lualine reads what is returned as a statusline
  return (require('pointsman').statusline():gsub('%%', '%%%%'))
end

return component
