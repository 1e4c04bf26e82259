"""The audit trail, to read: newest first, found by who, what and which."""

import json
from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from sms_backend.console.admin.base import KeysetAdmin
from sms_backend.console.admin.filters import TimeFilter
from sms_backend.console.models import AuditEntry


@admin.register(AuditEntry)
class AuditEntryAdmin(KeysetAdmin):
    """One line a deed."""

    list_display = ("at", "who_", "action", "subject", "changed", "address")
    list_display_links = ("at",)
    fields = ("at", "who_", "address", "action", "object_type", "object_id", "object_name", "changed")
    search_fields = ("who",)
    search_help_text = "A whole user name, an action such as client.suspended, or the id or name of an object."
    list_filter = (TimeFilter,)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """An entry has no history of its own."""
        response: HttpResponse = super().change_view(request, object_id, form_url, {"show_history": False} | (extra_context or {}))
        return response

    def get_search_results(
        self, _request: HttpRequest, queryset: QuerySet[AuditEntry], search_term: str
    ) -> tuple[QuerySet[AuditEntry], bool]:
        """By what has an index."""
        term = search_term.strip()
        if not term:
            return queryset, False
        found = Q(who=term) | Q(action=term) | Q(object_id=term) | Q(object_name=term)
        return queryset.filter(found), False

    def lookup_allowed(self, lookup: str, _value: Any, _request: HttpRequest) -> bool:
        """What other pages link here by."""
        return lookup in {"who", "action", "object_type", "object_id"}

    @admin.display(description="who")
    def who_(self, entry: AuditEntry) -> str:
        """Nobody, where a sign-in failed under a name that is not known."""
        return entry.who or "nobody known"

    @admin.display(description="what to")
    def subject(self, entry: AuditEntry) -> str:
        """As it was called then."""
        return f"{entry.object_type} {entry.object_name or entry.object_id}".strip() or "-"

    @admin.display(description="changes")
    def changed(self, entry: AuditEntry) -> SafeString:
        """What it was, and what it is."""
        return format_html("<ul>{}</ul>", format_html_join("", "<li><b>{}</b>: {}</li>", _lines(entry.changes)))


def _lines(changes: dict[str, Any]) -> list[tuple[str, str]]:
    return [(name.replace("_", " "), _told(value)) for name, value in changes.items()]


def _told(value: Any) -> str:
    if isinstance(value, list) and len(value) == 2:
        return f"{_plain(value[0])} → {_plain(value[1])}"
    return _plain(value)


def _plain(value: Any) -> str:
    if value is None or value in ("", [], {}):
        return "none"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
