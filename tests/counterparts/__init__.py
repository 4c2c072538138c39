"""Programs that stand in for the world, each on a free port of 127.0.0.1, as pytest fixtures."""
