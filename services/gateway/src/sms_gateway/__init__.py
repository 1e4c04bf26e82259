"""Server A: accepts messages over HTTP, durably."""
