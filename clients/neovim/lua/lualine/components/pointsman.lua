-- lualine: sections = { lualine_x = { 'pointsman' } }
local component = require('lualine.component'):extend()

function component:init(options)
  component.super.init(self, options)
  vim.api.nvim_create_autocmd('User', {
    group = vim.api.nvim_create_augroup('pointsman.lualine', {}),
    pattern = 'Pointsman*',
    callback = function()
      require('lualine').refresh() -- by itself it looks once a second
    end,
  })
end

function component.update_status(_)
  -- lualine reads what is returned as a statusline
  return (require('pointsman').statusline():gsub('%%', '%%%%'))
end

return component
