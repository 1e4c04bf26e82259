"""A file whose time says that a process which listens nowhere still turns; a container's health check looks at it."""

from pathlib import Path

from sms_backend.core.environment import environment

#: How often a process should say so, in seconds; a check may call it silent after five times that.
INTERVAL = 5.0


def touch() -> None:
    """Say that this process works; nothing where no file is set."""
    if not environment.smsgw_alive_file:
        return
    Path(environment.smsgw_alive_file).touch()
