"""Operator and process commands: `python -m sms_backend <command>`."""

import os
import sys

from django.core.management import execute_from_command_line

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "sms_backend.config.settings")
    execute_from_command_line(["smsgw manage", *sys.argv[1:]])
