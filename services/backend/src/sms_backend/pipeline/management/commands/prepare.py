"""`prepare`: everything that must be there before the processes start; harmless at any time."""

from typing import Any

import psycopg
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandParser
from django.db import Error as DatabaseError
from django.utils import timezone

from sms_backend.core import broker
from sms_backend.core.errors import OperatorError
from sms_backend.core.operator import DJANGOS, Error, Shown, show
from sms_backend.messages import partitions
from sms_backend.pipeline import readmodel
from sms_backend.routing.services import ensure_test_provider


class Command(BaseCommand):
    """Tables, partitions, queues, the `test` provider, and what Redis can be given already."""

    help = "Make what must be there before the processes start: tables, partitions, queues, the test provider, the read model."
    requires_system_checks: list[str] = []
    suppressed_base_arguments = DJANGOS

    def add_arguments(self, parser: CommandParser) -> None:
        """Django's hook."""
        parser.add_argument("--json", action="store_true", dest="as_json", help="one JSON document on stdout")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Each step is idempotent, and says what it needs when it fails."""
        try:
            call_command("migrate", interactive=False, verbosity=0)
            weeks = partitions.ensure(timezone.now())
            made = ensure_test_provider()
            queues = broker.declare_topology()
        except OperatorError as error:
            raise Error(str(error), returncode=error.exit_code) from error
        except (DatabaseError, psycopg.Error) as error:
            raise Error(f"PostgreSQL does not answer, or refuses: {str(error).strip().splitlines()[0]}", returncode=1) from error
        phase = readmodel.ensure()
        document = {"partitions": len(weeks), "queues": queues, "test_provider_made": made, "read_model": phase}
        lines = (
            f"tables       migrated, {len(weeks)} partitions",
            f"queues       {len(queues)} declared",
            f"read model   {phase}" + ("" if phase is readmodel.Phase.READY else "; the upkeep worker puts it right"),
        )
        show(self.stdout, Shown(document, *lines), as_json=options["as_json"])
