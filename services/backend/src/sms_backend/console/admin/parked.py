"""What could not be processed: looked at, put back, or given up."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_POST

from sms_backend.console.admin.base import KeysetAdmin, action
from sms_backend.console.audit import record
from sms_backend.console.rights import Right, permits
from sms_backend.console.site import page
from sms_backend.messages import parked
from sms_backend.messages.models import Parked


@admin.register(Parked)
class ParkedAdmin(KeysetAdmin):
    """Bodies hold numbers and texts: they are shown when asked for, which is written down."""

    list_display = ("id", "queue", "why", "parked_at", "replayed_at")
    list_filter = ("queue",)
    fields = ("queue", "reason", "message_id", "parked_at", "replayed_at")
    actions = ("replay", "drop")
    empty = "What could not be decoded or stored would stand here, with the reason. There is nothing: all is well."
    change_form_template = "console/parked_row.html"

    @admin.display(description="reason")
    def why(self, row: Parked) -> str:
        """The beginning."""
        return row.reason[:120]

    @action("Put back into its queue", right=Right.REPLAY_PARKED)
    def replay(self, request: HttpRequest, chosen: QuerySet[Parked]) -> None:
        """Each is confirmed by the broker."""
        for row in chosen:
            parked.replay(row)
            record(request, "parked.replayed", row, name=f"{row.queue} {row.pk}")
        self.message_user(request, f"{len(chosen)} put back.")

    @action("Give up, for good", right=Right.REPLAY_PARKED)
    def drop(self, request: HttpRequest, chosen: QuerySet[Parked]) -> None:
        """What was accepted in it is lost, by a person's decision: who it was stays."""
        count = 0
        for row in chosen:
            record(request, "parked.dropped", row, name=f"{row.queue} {row.pk}", changes={"message_id": row.message_id})
            parked.drop(row)
            count += 1
        self.message_user(request, f"{count} given up.", messages.WARNING)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Without the content, unless it was asked for."""
        more = {"may_reveal": permits(request, Right.VIEW_PERSONAL_DATA)} | (extra_context or {})
        response: HttpResponse = super().change_view(request, object_id, form_url, more)
        return response


@page("parked/<int:number>/content/", name="parked_reveal", right=Right.VIEW_PERSONAL_DATA)
@require_POST
@sensitive_variables("body")
def reveal(request: HttpRequest, number: int) -> HttpResponse:
    """One at a time, and written down."""
    shown = admin.site.get_model_admin(Parked)
    if not shown.has_view_permission(request):
        raise PermissionDenied
    row = get_object_or_404(Parked, pk=number)
    record(request, "parked.revealed", row, name=f"{row.queue} {row.pk}")
    body = bytes(row.body).decode("utf-8", "replace")
    request.method = "GET"  # the page as it is opened, with the content in it
    response: HttpResponse = shown.change_view(request, str(number), extra_context={"body": body})
    response["Cache-Control"] = "no-store"
    return response
