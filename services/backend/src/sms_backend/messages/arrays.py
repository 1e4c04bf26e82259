"""
Columns of rows as PostgreSQL's array literals, for statements that take them apart by `unnest`.

psycopg writes a list element by element, in Python, and looks at each for its type; a bulk statement has thousands of elements, whose type
it names itself. Source: https://www.postgresql.org/docs/15/arrays.html#ARRAYS-IO
"""

from collections.abc import Iterable
from uuid import UUID


def uuids(values: Iterable[UUID]) -> str:
    """For `uuid[]`."""
    return "{" + ",".join([value.hex for value in values]) + "}"


def plain(values: Iterable[float | str | UUID | None]) -> str:
    """For numbers, truth values, and ids and names of ours: what needs no quotes, and is never empty."""
    return "{" + ",".join(["NULL" if value is None else f"{value}" for value in values]) + "}"


def texts(values: Iterable[str | None]) -> str:
    """For whatever may hold anything; `jsonb[]` and times too."""
    return "{" + ",".join(["NULL" if value is None else f'"{_escaped(value)}"' for value in values]) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"') if '"' in value or "\\" in value else value
