"""Sweepers by name: each runs whatever became of the others, and when it last came to its end is kept, so that silence can be told."""

import threading
import time
from collections.abc import Callable, Mapping

import psycopg
import structlog
from django.db import Error as DatabaseError

from sms_backend.messages import sweeper_runs

log = structlog.get_logger()

Sweeper = Callable[[], object]
#: A process notes a sweeper's success no more often than this (seconds): silence is told in minutes.
_NOTED = 5.0


class _Noted:
    lock = threading.Lock()
    at: dict[str, float] = {}


def run(sweepers: Mapping[str, Sweeper]) -> None:
    """Run each. Raises `ExceptionGroup` at the end, of what those met that did not come to theirs."""
    failed: list[Exception] = []
    for name, sweep in sweepers.items():
        began = time.monotonic()
        try:
            sweep()
            _note(name, time.monotonic() - began)
        except Exception as error:  # noqa: BLE001 - whatever one of them meets is no reason for the next not to run
            log.warning("sweeper.failed", sweeper=name, error=type(error).__name__)
            failed.append(error)
    if failed:
        raise ExceptionGroup("sweepers that did not come to their end", failed)


def _note(name: str, seconds: float) -> None:
    now = time.monotonic()
    with _Noted.lock:
        if now - _Noted.at.get(name, float("-inf")) < _NOTED:
            return
        _Noted.at[name] = now
    try:
        sweeper_runs.note(name, seconds)
    except (DatabaseError, psycopg.Error):
        with _Noted.lock:
            _Noted.at.pop(name, None)
        raise


def forget() -> None:
    """Note the next success of each at once."""
    with _Noted.lock:
        _Noted.at.clear()
