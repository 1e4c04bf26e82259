"""What the gateway and the backend agree on: envelope, statuses, errors, numbers, segments, topology, key space."""
