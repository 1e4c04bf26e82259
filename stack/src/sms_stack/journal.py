"""What the processes of an instance said about one message or batch: every log, the rotated ones too, in the order of time."""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sms_stack.errors import StackError
from sms_stack.home import Home
from sms_stack.progress import results

_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
#: Shown in front of a line, or the same on each.
_UNTOLD = {"timestamp", "event", "level", "tracking_id", "tracking_ids"}


@dataclass(frozen=True, kw_only=True)
class Entry:
    process: str
    fields: dict[str, Any]

    @property
    def at(self) -> str:
        return str(self.fields.get("timestamp", ""))

    @property
    def document(self) -> dict[str, Any]:
        return {"process": self.process, **self.fields}


def about(home: Home, wanted: str) -> list[Entry]:
    """
    Every line that names `wanted`; oldest first.

    Raises `StackError` where it is no id, or nothing is said about it.
    """
    if not _ID.fullmatch(wanted):
        raise StackError(f"{wanted!r} is no tracking id or batch id; they look like 0192f0c1-7a2b-7c3d-8e4f-0123456789ab.")
    found = sorted(_entries(home.logs, wanted), key=lambda entry: entry.at)
    if not found:
        raise StackError(
            f"No log under {home.logs} says anything about {wanted}. Logs are kept for a while only; "
            f"what became of a message is in the database: ./smsgw manage message show {wanted}"
        )
    return found


def _entries(folder: Path, wanted: str) -> Iterator[Entry]:
    for file in folder.glob("*.log*"):
        with file.open(errors="replace") as lines:
            yield from read(file.name.partition(".log")[0], lines, wanted)


def read(process: str, lines: Iterable[str], wanted: str) -> Iterator[Entry]:
    """Those of a process's lines that name `wanted`; one that is no JSON object, or cut off, says nothing."""
    for line in lines:
        if wanted not in line:
            continue
        try:
            fields = json.loads(line)
        except ValueError:
            continue
        if isinstance(fields, dict):
            if "tracking_ids" in fields:
                fields["tracking_ids"] = [wanted]  # the others are other people's
            yield Entry(process=process, fields=fields)


def show(entries: Iterable[Entry]) -> None:
    """One line each: when, who, what, and the rest."""
    for entry in entries:
        rest = " ".join(f"{name}={value}" for name, value in entry.fields.items() if name not in _UNTOLD and value is not None)
        event = str(entry.fields.get("event", ""))
        results.print(f"{entry.at[:23]:<23}  {entry.process:<13} {event:<18} {rest}", markup=False, highlight=False)
