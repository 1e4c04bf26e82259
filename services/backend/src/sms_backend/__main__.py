"""Operator and process commands: `python -m sms_backend <command>`."""

import os
import sys

from django.core.management import execute_from_command_line
from pydantic import ValidationError


def main() -> None:
    """Run one command; say in plain words which setting is missing."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "sms_backend.config.settings")
    try:
        execute_from_command_line(["smsgw manage", *sys.argv[1:]])
    except ValidationError as error:
        problems = error.errors(include_input=False, include_context=False, include_url=False)
        for problem in problems:
            sys.stderr.write(f"environment: {'.'.join(map(str, problem['loc'])).upper()}: {problem['msg']}\n")
        sys.exit(2)


if __name__ == "__main__":
    main()
