"""One plugin of each kind, for Pointsman's own tests; docs/plugins.md shows parts of it."""
