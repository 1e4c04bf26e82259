"""Pages by key: the next begins where the last ended, whatever lies before, and nothing is counted."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib.admin import RelatedFieldListFilter
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from unfold.views import ChangeList

from sms_backend.console.admin.filters import TimeFilter
from sms_backend.console.admin.walk import Walk
from sms_backend.messages.lookup import LOOK_THROUGH

BEFORE = "before"  #: older than this one
AFTER = "after"  #: newer than this one


class KeysetPaginator(Paginator):
    """Holds one page alone; its template draws "newer" and "older"."""

    template_name = "console/keyset_pagination.html"


class KeysetChangeList(ChangeList):
    """One page of a table that is ordered by its primary key, newest first."""

    older: str | None = None  #: query of the next page, if there is one
    newer: str | None = None
    newest: str | None = None  #: query of the first page, where the one before this cannot be named
    looked_through: datetime | None = None  #: until when this page has looked, where that was not all

    def __init__(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        self._before = request.GET.get(BEFORE)
        self._after = request.GET.get(AFTER)
        super().__init__(request, *args, **kwargs)

    def get_filters_params(self, params: dict[str, Any] | None = None) -> dict[str, Any]:
        """Where the page begins is no filter."""
        found: dict[str, Any] = super().get_filters_params(params)
        return {name: value for name, value in found.items() if name not in {BEFORE, AFTER}}

    def get_query_string(self, new_params: dict[str, Any] | None = None, remove: Sequence[str] | None = None) -> str:
        """Another filter begins at the first page."""
        cursors = {name for name in (BEFORE, AFTER) if name not in (new_params or {})}
        found: str = super().get_query_string(new_params, [*(remove or ()), *cursors])
        return found

    def get_ordering(self, _request: HttpRequest, _queryset: QuerySet[Any]) -> list[str]:
        """The one that has an index, and that goes with time."""
        return ["-pk"]

    def get_results(self, request: HttpRequest) -> None:
        """One row more than a page has says whether there is another."""
        leads = next(filter(self._leads, self.filter_specs), None)
        self._walk = Walk()
        if leads is not None:
            self._walk = Walk(led=(leads.field.attname, leads.lookup_val[-1]))
            self.queryset = self.apply_select_related(self._filtered(request, but=leads))
        asked = [each for each in self.filter_specs if each.used_parameters and each is not leads]
        with self._walk.taken():
            if self.model_admin.looks_through and asked:
                self._looked_for(request)
            else:
                self._found_by_key(request)

    def _leads(self, spec: Any) -> bool:
        """Whether this filter asks for one value of what an index has before the key."""
        of_field = isinstance(spec, RelatedFieldListFilter) and spec.field.name == self.model_admin.led_by
        return of_field and len(spec.lookup_val or ()) == 1

    def _filtered(self, request: HttpRequest, *, but: Any) -> QuerySet[Any]:
        rows: QuerySet[Any] = self.root_queryset
        for each in self.filter_specs:
            found = None if each is but else each.queryset(request, rows)
            rows = rows if found is None else found
        return rows

    def _found_by_key(self, request: HttpRequest) -> None:
        size = self.list_per_page
        after = self._key(self._after)
        before = self._key(self._before)
        rows: list[Any]
        if after is not None:
            rows = list(self._walk.newer(self.queryset, after)[: size + 1])
            more_newer, more_older = len(rows) > size, True
            rows = rows[:size][::-1]
        else:
            rows = list(self._walk.older(self.queryset, before)[: size + 1])
            more_newer, more_older = before is not None, len(rows) > size
            rows = rows[:size]
        if rows:
            self.older = self.get_query_string({BEFORE: str(rows[-1].pk)}, [AFTER]) if more_older else None
            self.newer = self.get_query_string({AFTER: str(rows[0].pk)}, [BEFORE]) if more_newer else None
        self._shown(request, rows)

    def _looked_for(self, request: HttpRequest) -> None:
        """What no index knows, among so many rows; the page may be short, or empty, and says from where to go on."""
        size = self.list_per_page
        before = self._key(self._before)
        within = self.root_queryset
        for each in self.filter_specs:
            if isinstance(each, TimeFilter):  # which is a range of keys: beyond it there is nothing to look for
                within = each.queryset(request, within)
        last: UUID | None = next(iter(self._walk.older(within, before).values_list("pk", flat=True)[LOOK_THROUGH - 1 : LOOK_THROUGH]), None)
        found = self._walk.older(self.queryset, before)
        rows = list((found if last is None else found.filter(pk__gte=last))[: size + 1])
        if len(rows) > size:
            rows = rows[:size]
            further = rows[-1].pk
        else:
            further = last
            self.looked_through = None if last is None else moment_of(last)
        self.older = None if further is None else self.get_query_string({BEFORE: str(further)}, [AFTER])
        self.newest = None if before is None else self.get_query_string()
        self._shown(request, rows)

    def _shown(self, request: HttpRequest, rows: list[Any]) -> None:
        """These are the page."""
        self.paginator = self.model_admin.get_paginator(request, rows, self.list_per_page)
        self.result_list = rows
        self.result_count = self.full_result_count = len(rows)
        self.show_admin_actions = True
        self.can_show_all = False
        self.multi_page = False

    def _key(self, text: str | None) -> Any:
        """A key, or None where the address was tampered with: then it is the first page."""
        if text is None:
            return None
        try:
            return self.lookup_opts.pk.to_python(text)
        except ValidationError:
            return None


def moment_of(key: UUID) -> datetime:
    """When a UUIDv7 was made, in the console's time zone."""
    return datetime.fromtimestamp((key.int >> 80) / 1000, timezone.get_current_timezone())
