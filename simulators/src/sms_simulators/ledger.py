"""What was accepted and what was refused: a file of JSON lines that is only ever appended to, and the same in memory."""

import hashlib
import os
from collections import Counter
from pathlib import Path
from typing import Self

import msgspec

from sms_simulators.forms import fields


class Entry(msgspec.Struct, omit_defaults=True, gc=False, rename={"sender": "from"}):
    """One request that was let in, or refused (`accepted` false, and no `sid`)."""

    account: str
    to: str
    sender: str
    body: str
    outcome: str  #: the action that was applied
    accepted: bool
    accepted_at: float  #: seconds since 1970, also of a refusal
    sid: str | None = None
    reference: str | None = None  #: the sender's own, where the vendor carries one
    messaging_service: str | None = None
    callback_url: str | None = None
    validity: int | None = None
    tracking_id: str | None = None  #: `m` of the callback URL, else the reference: which message of the sender's this was
    attempt: str | None = None  #: `a` of the callback URL
    code: int | str | None = None  #: with which it was refused

    @property
    def key(self) -> str:
        """What makes two accepted messages the same one."""
        return self.tracking_id or f"{self.to}|{hashlib.sha256(self.body.encode()).hexdigest()[:16]}"


class Summary(msgspec.Struct):
    """Counts, and what was accepted more than once."""

    accepted: int
    refused: int
    distinct: int
    duplicates: dict[str, int]
    by_account: dict[str, int]
    by_outcome: dict[str, int]


class Ledger:
    """Writes each entry through to the file before its request is answered."""

    def __init__(self, path: Path, *, fsync: bool = False) -> None:
        self.entries: list[Entry] = []
        self.refusals: list[Entry] = []
        self._fsync = fsync
        self._encoder = msgspec.json.Encoder()
        for line in path.read_bytes().splitlines() if path.exists() else []:
            try:
                self._remember(msgspec.json.decode(line, type=Entry))
            except msgspec.DecodeError:
                continue  # the last line of a process that was killed while it wrote; that request had no answer
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        if path.stat().st_size and not path.read_bytes().endswith(b"\n"):
            os.write(self._file, b"\n")

    def add(self, entry: Entry) -> None:
        """Append, in one write."""
        os.write(self._file, self._encoder.encode(entry) + b"\n")
        if self._fsync:
            os.fsync(self._file)
        self._remember(entry)

    def clear(self) -> None:
        """Begin anew, in the file as well."""
        os.ftruncate(self._file, 0)
        self.entries.clear()
        self.refusals.clear()

    def close(self) -> None:
        """Give the file back."""
        os.close(self._file)

    def summary(self, account: str | None = None) -> Summary:
        """Counts for one account, or for all."""
        entries = [e for e in self.entries if account in {None, e.account}]
        keys = Counter(e.key for e in entries)
        return Summary(
            accepted=len(entries),
            refused=sum(account in {None, e.account} for e in self.refusals),
            distinct=len(keys),
            duplicates={key: count for key, count in keys.items() if count > 1},
            by_account=dict(Counter(e.account for e in entries)),
            by_outcome=dict(Counter(e.outcome for e in entries)),
        )

    def _remember(self, entry: Entry) -> None:
        (self.entries if entry.accepted else self.refusals).append(entry)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def hints(callback_url: str | None) -> tuple[str | None, str | None]:
    """The sender's tracking id and attempt, where its callback URL carries them as `m` and `a`."""
    if callback_url is None:
        return None, None
    query = dict(fields(callback_url.partition("?")[2].partition("#")[0].encode()))
    return query.get("m") or None, query.get("a") or None
