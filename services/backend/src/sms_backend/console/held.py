"""What `pause` and `resume` have in common: what may be named, and what is shown."""

from argparse import Namespace
from typing import Any

from django.core.management.base import CommandParser

from sms_backend.accounts.selectors import client_named
from sms_backend.core.operator import Shown, table
from sms_backend.routing import pauses
from sms_backend.routing.models import Pause
from sms_backend.routing.selectors import provider_named
from sms_contract.status import TrafficType


def add_options(parser: CommandParser) -> None:
    """Which messages."""
    parser.add_argument("--client", metavar="C", help="this client's alone; name or id")
    parser.add_argument("--lane", choices=[lane.value for lane in TrafficType], metavar="L", help="otp, transactional or promotional alone")
    parser.add_argument("--provider", metavar="P", help="those for this provider alone; others may take them")


def named(arguments: Namespace) -> dict[str, Any]:
    """What was given, looked up. Raises `NotFoundError`."""
    return {
        "client": None if arguments.client is None else client_named(arguments.client),
        "lane": arguments.lane,
        "provider": None if arguments.provider is None else provider_named(arguments.provider),
    }


def changes(pause: Pause) -> dict[str, Any]:
    """What the audit trail keeps of a pause."""
    told = pauses.document(pause)
    return {name: told[name] for name in ("client", "lane", "provider")}


def shown(**extra: Any) -> Shown:
    """What is held now."""
    rows = [pauses.document(pause) for pause in pauses.paused()]
    lines = table(rows, ("client", "lane", "provider", "since")) if rows else ["nothing is held"]
    return Shown({**extra, "held": rows}, *lines)
