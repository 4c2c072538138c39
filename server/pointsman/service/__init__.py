"""What the daemon does, as independent rooms that `app.py` puts together. Must never know JSON-RPC."""
