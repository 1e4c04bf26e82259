"""
Logs: one JSON object a line on standard output, with an event's name and fields from a fixed list.

A field that is not on the list is dropped, so that no number, text or key can slip in. What libraries say is reduced to its template: their
arguments may hold anything.
"""

import asyncio
import logging
import sys
import time
import warnings
from functools import lru_cache
from typing import Final

import msgspec
import structlog

from sms_contract.message import timestamp

ALLOWED: Final = frozenset(
    {
        "event",
        "level",
        "timestamp",
        "accepted",
        "batch_id",
        "client",
        "code",
        "duration_ms",
        "encoding",
        "error",
        "logger",
        "method",
        "mode",
        "provider",
        "reason",
        "request_id",
        "route",
        "segments",
        "status",
        "timeouts",
        "trace_id",
        "tracking_id",
        "traffic_type",
        "version",
        "where",
        "workers",
    }
)

_encode = msgspec.json.Encoder().encode
log = structlog.get_logger()


def configure(level: str) -> None:
    """Set up structlog, and let the standard library's loggers through it."""
    structlog.configure(
        processors=[],
        wrapper_class=_logger_from(logging.getLevelNamesMapping()[level]),
        logger_factory=_Lines,
        cache_logger_on_first_use=True,
    )
    warnings.showwarning = _tell_warning  # type: ignore[assignment]  # by the names of its parameters, and it is called by their places
    handler = _Handler()
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.getLogger("uvicorn.error").setLevel(logging.INFO)
    # They put whole messages into their log lines, and what matters about them is said by `broker`.
    for chatty in ("aiormq", "aio_pika"):
        logging.getLogger(chatty).setLevel(logging.CRITICAL)


class _Lines:
    """Writes lines to standard output; those of one turn of the event loop together, because each write is a system call."""

    def __init__(self, *_: object) -> None:
        self._waiting: list[bytes] = []

    def msg(self, line: bytes) -> None:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            _write(line + b"\n")
            return
        if not self._waiting:
            loop.call_soon(self._flush)
        self._waiting.append(line)

    debug = info = warning = error = critical = log = msg

    def _flush(self) -> None:
        lines, self._waiting = self._waiting, []
        _write(b"\n".join(lines) + b"\n")


def _write(lines: bytes) -> None:
    sys.stdout.buffer.write(lines)
    sys.stdout.buffer.flush()


def _logger_from(least: int) -> type[structlog.BoundLoggerBase]:
    """A logger that does at once what structlog's own does in a chain of calls: we have one processor, and nothing is bound."""

    def nothing(_self: Logger, _event: str, **_fields: object) -> None: ...

    names = {logging.DEBUG: "debug", logging.INFO: "info", logging.WARNING: "warning", logging.ERROR: "error"}
    return type("LeastLogger", (Logger,), {name: nothing for number, name in names.items() if number < least})


class Logger(structlog.BoundLoggerBase):
    """Renders an event with its allowed fields."""

    def debug(self, event: str, **fields: object) -> None:
        self._emit("debug", event, fields)

    def info(self, event: str, **fields: object) -> None:
        self._emit("info", event, fields)

    def warning(self, event: str, **fields: object) -> None:
        self._emit("warning", event, fields)

    def error(self, event: str, **fields: object) -> None:
        self._emit("error", event, fields)

    def _emit(self, level: str, event: str, fields: dict[str, object]) -> None:
        if not ALLOWED.issuperset(fields):
            fields = {name: value for name, value in fields.items() if name in ALLOWED}
        written = _encode(fields)
        # Head and fields are one object; to put them into one dictionary first would cost as much again.
        rest = b"," + written[1:] if fields else b"}"
        now = timestamp(int(time.time() * 1000)).encode()
        self._logger.msg(b'{"timestamp":"%b",%b%b' % (now, _head(level, event), rest))


@lru_cache(maxsize=256)
def _head(level: str, event: str) -> bytes:
    return b'"level":%b,"event":%b' % (_encode(level), _encode(event))


class _Handler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        error = where = None
        if record.exc_info and record.exc_info[1] is not None:
            error, where = describe(record.exc_info[1])
        say = log.error if record.levelno >= logging.ERROR else log.warning if record.levelno >= logging.WARNING else log.info
        say("library.log", logger=record.name, reason=str(record.msg).strip(), error=error, where=where)


def _tell_warning(_message: Warning | str, category: type[Warning], filename: str, lineno: int, *_: object) -> None:
    log.warning("python.warning", error=category.__name__, where=f"{_short(filename)}:{lineno}")


def _short(filename: str) -> str:
    return filename.rpartition("/site-packages/")[2].rpartition("/src/")[2]


def describe(error: BaseException) -> tuple[str, str]:
    """An exception's type and the places it came through, without its message."""
    places: list[str] = []
    traceback = error.__traceback__
    while traceback is not None:
        code = traceback.tb_frame.f_code
        places.append(f"{_short(code.co_filename)}:{traceback.tb_lineno}")
        traceback = traceback.tb_next
    return type(error).__name__, " > ".join(places[-8:])
