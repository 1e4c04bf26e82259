"""Logs: one JSON line an event, from every process; never a number, a text or a secret."""

import logging
import select
import sys
import traceback
import warnings
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from io import FileIO
from typing import Any, BinaryIO, cast

import msgspec
import structlog
from structlog.typing import EventDict, Processor

#: The file itself, unbuffered: a line is one write, and whole.
_stderr = FileIO(2, "w", closefd=False)
#: So many bytes at once are never mixed with what other threads write.
_AT_ONCE = select.PIPE_BUF
_encoder = msgspec.json.Encoder(enc_hook=str)

#: Their INFO lines carry arguments and connection strings that nobody needs.
_NOISY = (
    "aiormq",
    "aio_pika",
    "amqp",
    "kombu",
    "psycopg.pool",
    "aiohttp",
    "celery.worker.strategy",
    "celery.app.trace",
    "celery.beat",
)


def without_words(_: Any, __: str, event: EventDict) -> EventDict:
    """An exception as its kind and its places: its message may quote a row, a URL or a number."""
    info = event.pop("exc_info", None)
    if info is True:
        info = sys.exc_info()
    error = info[1] if isinstance(info, tuple) else info
    if isinstance(error, BaseException):
        frames = traceback.extract_tb(error.__traceback__)
        event["exception"] = f"{type(error).__module__}.{type(error).__qualname__}"
        event["where"] = [f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}" for frame in frames[-8:]]
    return event


_SHARED: list[Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    without_words,
]


def _as_bytes(_: Any, __: str, event: EventDict) -> bytes:
    return _encoder.encode(event)


def _as_text(logger: Any, name: str, event: EventDict) -> str:
    return _as_bytes(logger, name, event).decode()


def tell_each(event: str, entries: Iterable[Mapping[str, object]]) -> None:
    """
    An event at INFO about each of many things that came to pass at one moment: a line each, written together.

    For what happens thousands of times a second, where a line by itself costs a tenth of what it tells of.
    """
    if not logging.getLogger().isEnabledFor(logging.INFO):
        return
    common = {"event": event, "level": "info", "timestamp": datetime.now(UTC).isoformat().replace("+00:00", "Z")}
    waiting = b""
    for entry in entries:
        line = _encoder.encode({**entry, **common}) + b"\n"
        if len(waiting) + len(line) > _AT_ONCE:
            _stderr.write(waiting)
            waiting = b""
        waiting += line
    if waiting:
        _stderr.write(waiting)


def _tell_warning(_message: Warning | str, category: type[Warning], filename: str, lineno: int, *_: object) -> None:
    """A warning of Python as its kind and its place: its message may quote a value."""
    place = f"{filename.rpartition('/site-packages/')[2].rpartition('/src/')[2]}:{lineno}"
    structlog.get_logger().warning("python.warning", warning=category.__name__, where=[place])


def configure(level: str) -> None:
    """Send everything, warnings and the standard library's logging included, to stderr as JSON."""
    # Our own events go straight to the file: through the standard library each costs a worker ten times as much.
    structlog.configure(
        processors=[*_SHARED, _as_bytes],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.BytesLoggerFactory(file=cast("BinaryIO", _stderr)),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *_SHARED],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _as_text],
        )
    )
    warnings.showwarning = _tell_warning  # type: ignore[assignment]  # by the names of its parameters, and it is called by their places
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for noisy in _NOISY:
        logging.getLogger(noisy).setLevel(logging.WARNING)
