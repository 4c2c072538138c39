"""The command line: a client of the daemon like any editor. Must never do what the daemon should do for all clients."""
