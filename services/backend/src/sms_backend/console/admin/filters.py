"""Filters of large tables, by what has an index."""

import time
from typing import Any

from django.contrib.admin import ModelAdmin, SimpleListFilter
from django.db.models import QuerySet
from django.http import HttpRequest

from sms_contract.ids import floor

_SPANS = {
    "1h": ("the last hour", 3_600),
    "24h": ("the last 24 hours", 86_400),
    "7d": ("the last 7 days", 604_800),
    "30d": ("the last 30 days", 2_592_000),
}


class TimeFilter(SimpleListFilter):
    """Since when; ids are UUIDv7, so that a span of time is a range of ids."""

    title = "time"
    parameter_name = "since"

    def lookups(self, _request: HttpRequest, _model_admin: ModelAdmin) -> list[tuple[str, str]]:
        """Spans that people think in."""
        return [(name, title) for name, (title, _) in _SPANS.items()]

    def queryset(self, _request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """From the first id of that time on."""
        span = _SPANS.get(self.value() or "")
        return queryset if span is None else queryset.filter(pk__gte=floor(int((time.time() - span[1]) * 1000)))


class ValueFilter(SimpleListFilter):
    """By one column whose values are known: Django's own would ask the table which there are, and so read all of it."""

    values: tuple[str, ...] = ()

    def lookups(self, _request: HttpRequest, _model_admin: ModelAdmin) -> list[tuple[str, str]]:
        """All there are."""
        return [(value, value) for value in self.values]

    def queryset(self, _request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Those that have it."""
        value = self.value()
        return queryset if value is None else queryset.filter(**{str(self.parameter_name): value})
