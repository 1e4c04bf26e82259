"""What could not be processed."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from sms_backend.console.admin.base import KeysetAdmin, action
from sms_backend.console.audit import record
from sms_backend.console.rights import Right
from sms_backend.messages import parked
from sms_backend.messages.models import Parked


@admin.register(Parked)
class ParkedAdmin(KeysetAdmin):
    """To look at, and to put back once the reason is mended. Bodies hold numbers and texts: the operator's command shows them."""

    list_display = ("id", "queue", "why", "parked_at", "replayed_at")
    list_filter = ("queue",)
    fields = ("queue", "reason", "message_id", "parked_at", "replayed_at")
    actions = ("replay",)

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
