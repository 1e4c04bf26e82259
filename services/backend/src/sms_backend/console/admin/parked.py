"""What could not be processed."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from sms_backend.console.admin.base import ReadOnlyAdmin
from sms_backend.messages import parked
from sms_backend.messages.models import Parked


@admin.register(Parked)
class ParkedAdmin(ReadOnlyAdmin):
    """To look at, and to put back once the reason is mended. Bodies hold numbers and texts: the operator's command shows them."""

    list_display = ("id", "queue", "why", "parked_at", "replayed_at")
    list_filter = ("queue",)
    fields = ("queue", "reason", "message_id", "parked_at", "replayed_at")
    ordering = ("-id",)
    actions = ("replay",)

    @admin.display(description="reason")
    def why(self, row: Parked) -> str:
        """The beginning."""
        return row.reason[:120]

    def has_replay_permission(self, request: HttpRequest) -> bool:
        """It may send messages."""
        return bool(request.user.is_superuser)

    @admin.action(description="Put back into its queue", permissions=("replay",))
    def replay(self, request: HttpRequest, chosen: QuerySet[Parked]) -> None:
        """Each is confirmed by the broker."""
        count = len([parked.replay(row) for row in chosen])
        self.message_user(request, f"{count} put back.")
