"""How clients talk to the daemon: JSON-RPC 2.0 in LSP framing. Must never decide what the services below decide."""
