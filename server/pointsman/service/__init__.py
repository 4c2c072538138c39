"""What the daemon does, as a small stack of rooms that `app.py` puts together. Must never know JSON-RPC."""
