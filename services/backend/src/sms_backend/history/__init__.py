"""The history for clients: read-only HTTP, with the same keys, errors and message as the gateway."""
