"""What PostgreSQL did for a page: every statement's plan, as it ran, and how many rows of large tables each of its scans went over."""

import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
from psycopg import sql
from system import until

#: Partitions of these are large.
LARGE = re.compile(r"^(messages|attempts|receipts|webhook_deliveries|webhook_tries|inbound_messages|suppressions|console_auditentry)(_|$)")
#: https://www.postgresql.org/docs/15/auto-explain.html
_SETTINGS = {
    "session_preload_libraries": "auto_explain",
    "auto_explain.log_min_duration": "0",
    "auto_explain.log_analyze": "on",
    "auto_explain.log_timing": "off",
    "auto_explain.log_nested_statements": "on",
    "auto_explain.log_format": "json",
    "auto_explain.log_parameter_max_length": "0",
}
_ROLE = "smsgw"


@dataclass
class Seen:
    """Statements of a page; in `walked` the rows that the scans of each went over, for those that looked into a large table."""

    statements: int = 0
    walked: dict[str, int] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        return sum(self.walked.values())

    @property
    def counts(self) -> list[str]:
        """Those that count rows of one."""
        return [query for query in self.walked if "COUNT(" in query.upper()]

    @property
    def worst(self) -> str:
        return max(self.walked, key=lambda each: self.walked[each], default="")


@contextmanager
def explained(connection: psycopg.Connection) -> Iterator[None]:
    """Sessions of the system that begin from now on tell their plans."""
    role = sql.Identifier(_ROLE)
    for name, value in _SETTINGS.items():
        connection.execute(sql.SQL("ALTER ROLE {} SET {} = {}").format(role, sql.SQL(name), sql.Literal(value)))
    try:
        yield
    finally:
        for name in _SETTINGS:
            connection.execute(sql.SQL("ALTER ROLE {} RESET {}").format(role, sql.SQL(name)))


class Log:
    """PostgreSQL's, from where it was last read; `session` is one that tells its plans too."""

    def __init__(self, session: psycopg.Connection) -> None:
        self._session = session
        self._file = Path(os.environ["SMSGW_HOME"]) / "log" / "postgresql.log"
        self._at = self._file.stat().st_size

    def read(self) -> Seen:
        """What has been told since the last time."""
        # It is written through a pipe: once it tells of a statement that was made up here, it has told of all before.
        marker = f"told-{uuid4().hex}"
        self._session.execute(sql.SQL("SELECT {}").format(sql.Literal(marker)))
        told = until(lambda: self._since(marker), what="PostgreSQL's log written")
        self._at += len(told)
        text = told.decode(errors="replace")
        found = Seen()
        decoder = json.JSONDecoder(strict=False)
        for start in re.finditer(r"  plan:\s*", text):
            document, _ = decoder.raw_decode(text, start.end())
            if marker in document["Query Text"]:
                continue
            found.statements += 1
            rows = _walked(document["Plan"])
            if rows:
                query = " ".join(document["Query Text"].split())
                found.walked[query] = found.walked.get(query, 0) + rows
        return found

    def _since(self, marker: str) -> bytes | None:
        """Up to the end of the plan that holds the marker; None while it is not there."""
        with self._file.open("rb") as file:
            file.seek(self._at)
            text = file.read()
        at = text.find(marker.encode())
        end = text.find(b"\n\t}\n", at)
        return None if at < 0 or end < 0 else text[: end + 4]


def _walked(node: dict[str, Any]) -> int:
    """Rows that scans of large tables and of their indexes returned or threw away."""
    rows = sum(_walked(child) for child in node.get("Plans", ()))
    # Of a bitmap the heap's half says which table; the index's half goes over no more.
    if LARGE.match(node.get("Relation Name", "")):
        thrown = node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Index Recheck", 0)
        rows += round((node.get("Actual Rows", 0) + thrown) * node.get("Actual Loops", 0))
    return rows
