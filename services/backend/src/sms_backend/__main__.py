"""Operator and process commands: `python -m sms_backend <command>`."""

import os
import sys

from django.conf import settings
from django.core.management import execute_from_command_line
from django.db import connections
from pydantic import ValidationError


def main() -> None:
    """Run one command, and leave nothing behind that the interpreter would wait for."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "sms_backend.config.settings")
    try:
        execute_from_command_line(["smsgw manage", *sys.argv[1:]])
    except ValidationError as error:
        problems = error.errors(include_input=False, include_context=False, include_url=False)
        for problem in problems:
            sys.stderr.write(f"environment: {'.'.join(map(str, problem['loc'])).upper()}: {problem['msg']}\n")
        sys.exit(2)
    finally:
        if settings.configured:
            close_pools()


def close_pools() -> None:
    """The threads of a connection pool that is still open keep a finished process for seconds."""
    for connection in connections.all(initialized_only=True):
        connection.close()
        connection.close_pool()


if __name__ == "__main__":
    main()
