"""Raw callbacks, from the table to their messages."""

import time
from collections.abc import Sequence
from typing import Any

import psycopg

from sms_backend.pipeline.hints import hint_webhooks
from sms_backend.pipeline.persist import persist
from sms_backend.pipeline.reports import Received, apply_callbacks

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
    received = Received()

    def change(cursor: psycopg.Cursor[Any]) -> Sequence[Any]:
        nonlocal received
        received = apply_callbacks(cursor, limit=_BATCH)
        return received.rows

    persist(change, plan_once=True)
    if received.told:
        hint_webhooks()
    return received.judged
