"""What every app stands on: the environment, Redis, logs, metrics, encryption."""
