"""Along which index the pages of a large table go: by its key, or by a field and its key where an index has both."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import F, QuerySet
from django.db.models.fields.tuple_lookups import Tuple, TupleGreaterThan, TupleLessThan

_FIRST = UUID(int=0)
_LAST = UUID(int=2**128 - 1)


@dataclass(frozen=True, kw_only=True)
class Walk:
    """
    By key, or along what is `led` by a column's value.

    That is said as a range of column and key, and nothing is sorted: by an equal value PostgreSQL may go along the keys all the same,
    through everybody's rows, where it takes somebody who has been silent for long for one who writes often.
    """

    led: tuple[str, Any] | None = None  #: column and value

    def older(self, rows: QuerySet[Any], before: Any = None) -> QuerySet[Any]:
        """Those before a key, or all; the newest first."""
        within = rows if before is None else rows.filter(pk__lt=before)
        if self.led is None:
            return within.order_by("-pk")
        return self._between(within, _FIRST, before or _LAST).order_by(f"-{self.led[0]}", "-pk")

    def newer(self, rows: QuerySet[Any], after: Any) -> QuerySet[Any]:
        """Those after a key, the oldest first."""
        within = rows.filter(pk__gt=after)
        return within.order_by("pk") if self.led is None else self._between(within, after, _LAST).order_by(self.led[0], "pk")

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Its queries are made within."""
        if self.led is None:
            yield
            return
        with transaction.atomic():
            with connection.cursor() as cursor:
                # The index gives the order already; of one value PostgreSQL expects few rows, and would read and sort them all.
                cursor.execute("SET LOCAL enable_sort = off")
            yield

    def _between(self, rows: QuerySet[Any], after: UUID, before: UUID) -> QuerySet[Any]:
        column, value = self.led or ("", None)
        place = Tuple(F(column), F("pk"))
        return rows.filter(TupleGreaterThan(place, (value, after)), TupleLessThan(place, (value, before)))
