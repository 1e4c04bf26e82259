"""Messages, to read: found by tracking id, exact number or reference, never counted."""

from typing import Any
from uuid import UUID

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.decorators import display

from sms_backend.accounts.models import Client
from sms_backend.console.admin.base import KeysetAdmin
from sms_backend.console.masking import shown_number
from sms_backend.console.rights import Right, permits
from sms_backend.messages import timeline
from sms_backend.messages.models import Alias, Message
from sms_backend.messages.selectors import story_of
from sms_contract.ids import is_tracking_id
from sms_contract.phone import is_e164
from sms_contract.status import Status

_COLOURS = {
    Status.DELIVERED: "success",
    Status.SENT: "info",
    Status.UNDELIVERED: "danger",
    Status.FAILED: "danger",
    Status.REJECTED: "danger",
    Status.EXPIRED: "warning",
    Status.UNKNOWN: "warning",
}


@admin.register(Message)
class MessageAdmin(KeysetAdmin):
    """One line a message; its page tells the whole story."""

    list_display = ("id", "created_at", "client", "to", "state", "lane", "provider", "attempts", "error_code")
    list_display_links = ("id",)
    list_filter = ("status", "lane", "mode", "client")
    list_select_related = ("client",)
    search_fields = ("id",)
    search_help_text = "A tracking id, a whole number (+44…), or a reference."

    def get_fieldsets(self, request: HttpRequest, _obj: Message | None = None) -> list[tuple[str | None, dict[str, Any]]]:
        """Number and text are for those who have all rights."""
        whole = permits(request, Right.VIEW_PERSONAL_DATA)
        who = ("recipient", "text") if whole else ("to",)
        return [
            (None, {"fields": ("id", "client", "mode", "lane", *who, "sender", "reference", "metadata")}),
            ("Where it stands", {"fields": ("status", "version", "provider", "provider_message_id", "error_code", "error_detail")}),
            ("What happened", {"fields": ("happened",)}),
            ("Times", {"fields": ("created_at", "send_at", "next_attempt_at", "sent_at", "delivered_at", "expires_at", "updated_at")}),
            ("Cost", {"fields": ("segments", "encoding", "characters", "charged_day", "charged_segments", "refunded_at")}),
        ]

    def get_readonly_fields(self, request: HttpRequest, obj: Message | None = None) -> tuple[str, ...]:
        """All of them."""
        return tuple(name for _, options in self.get_fieldsets(request, obj) for name in options["fields"])

    def get_search_results(self, _request: HttpRequest, queryset: QuerySet[Message], search_term: str) -> tuple[QuerySet[Message], bool]:
        """By what has an index, and nothing else."""
        term = search_term.strip()
        if not term:
            return queryset, False
        if is_tracking_id(term):
            targets = Alias.objects.filter(alias=UUID(term)).values_list("message_id", flat=True)
            return queryset.filter(id__in=[UUID(term), *targets]), False
        if is_e164(term):
            return queryset.filter(recipient=term), False
        # The index leads with the client.
        clients = list(Client.objects.values_list("id", flat=True))
        return queryset.filter(client_id__in=clients, reference=term), False

    @admin.display(description="to")
    def to(self, message: Message) -> str:
        """Masked."""
        return shown_number(message.recipient)

    @display(description="Status", label=_COLOURS)
    def state(self, message: Message) -> str:
        """In colour, too."""
        return message.status

    @admin.display(description="timeline")
    def happened(self, message: Message) -> SafeString:
        """Each event with what belongs to it, as `message show` tells it."""
        rows = ((event["at"], event["event"], _told(event)) for event in timeline.timeline(story_of(message)))
        body = format_html_join("", _ROW, rows)
        return format_html('<table class="w-full text-left"><tbody>{}</tbody></table>', body)


_ROW = (
    '<tr class="align-top"><td class="pr-4 whitespace-nowrap font-mono">{}</td>'
    '<td class="pr-4 whitespace-nowrap"><b>{}</b></td><td>{}</td></tr>'
)


def _told(event: dict[str, Any]) -> SafeString:
    return format_html_join(
        ", ", "{} {}", ((name.replace("_", " "), value) for name, value in event.items() if name not in {"at", "event"})
    )
