"""What operators see: logs and metrics, neither of which ever holds a number, a text or a key."""
