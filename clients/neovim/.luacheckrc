std = 'luajit'
cache = false
globals = { 'vim' }
max_line_length = false -- stylua has its own limit
