"""The suppression list, asked once more when messages are claimed."""

from collections.abc import Sequence
from typing import Any

import psycopg

from sms_backend.messages.events import announce
from sms_backend.messages.rejections import reject_listed
from sms_backend.messages.store import project_later


def without_opted_out(cursor: psycopg.Cursor[Any], claimed: Sequence[Any]) -> list[Any]:
    """Of claimed rows those that may be sent. The others end in the claim's transaction, with their charges, events and projection."""
    left, ended = reject_listed(cursor, claimed)
    if ended:
        project_later(cursor, [row.id for row in ended], after=0)
        announce(cursor, ended)
    return left
