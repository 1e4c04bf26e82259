"""Raw callbacks, from the table to their messages."""

import time
from collections.abc import Sequence
from typing import Any

import psycopg

from sms_backend.pipeline.persist import persist
from sms_backend.pipeline.reports import apply_callbacks

_BATCH = 200


def receive_all(*, until: float) -> int:
    """Judge callbacks until none is due, or `until` (monotonic) has passed; returns how many were judged."""
    total = 0
    while True:
        judged = receive_once()
        total += judged
        if judged < _BATCH or time.monotonic() > until:
            return total


def receive_once() -> int:
    """One batch."""
    judged = 0

    def change(cursor: psycopg.Cursor[Any]) -> Sequence[Any]:
        nonlocal judged
        judged, rows = apply_callbacks(cursor, limit=_BATCH)
        return rows

    persist(change)
    return judged
