"""Server B: stores, routes, sends and reports messages."""
