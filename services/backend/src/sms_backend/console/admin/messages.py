"""Messages: found by tracking id, number or reference, filtered, never counted; one line each."""

import re
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.contrib.admin import ModelAdmin, SimpleListFilter
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from unfold.decorators import display

from sms_backend.accounts.models import Client
from sms_backend.console.admin import message_page
from sms_backend.console.admin.base import KeysetAdmin
from sms_backend.console.admin.keyset import BEFORE, KeysetChangeList, moment_of
from sms_backend.console.labels import STATUS_COLOURS
from sms_backend.console.masking import shown_number
from sms_backend.console.rights import Right
from sms_backend.messages.lookup import Lookup, page
from sms_backend.messages.models import Alias, Message
from sms_backend.routing.models import Provider
from sms_contract.ids import is_tracking_id
from sms_contract.phone import is_e164
from sms_contract.status import Mode, Status, TrafficType

_BETWEEN = re.compile(r"[\s().-]")
_SPANS = {"1h": timedelta(hours=1), "24h": timedelta(days=1), "7d": timedelta(days=7), "30d": timedelta(days=30)}


class Choice(SimpleListFilter):
    """A filter by one column, which `lookup_of` reads; the page itself is found by `messages.lookup`."""

    def queryset(self, _request: HttpRequest, queryset: QuerySet[Message]) -> QuerySet[Message]:
        """Not here."""
        return queryset


class StatusFilter(Choice):
    """Where it stands."""

    title = "status"
    parameter_name = "status"

    def lookups(self, _request: HttpRequest, _model_admin: ModelAdmin) -> list[tuple[str, str]]:
        """All there are."""
        return [(status.value, status.value) for status in Status if status is not Status.RECEIVED]


class ClientFilter(Choice):
    """Whose it is."""

    title = "client"
    parameter_name = "client"

    def lookups(self, _request: HttpRequest, _model_admin: ModelAdmin) -> list[tuple[str, str]]:
        """By name."""
        return list(Client.objects.values_list("id", "name"))


class ProviderFilter(Choice):
    """Who had it last."""

    title = "provider"
    parameter_name = "provider"

    def lookups(self, _request: HttpRequest, _model_admin: ModelAdmin) -> list[tuple[str, str]]:
        """Every one that is configured."""
        return [(slug, slug) for slug in Provider.objects.order_by("slug").values_list("slug", flat=True)]


class ModeFilter(Choice):
    """Live, or test."""

    title = "mode"
    parameter_name = "mode"

    def lookups(self, _request: HttpRequest, _model_admin: ModelAdmin) -> list[tuple[str, str]]:
        """Both."""
        return [(mode.value, mode.value) for mode in Mode]


class LaneFilter(Choice):
    """What overtakes what."""

    title = "traffic type"
    parameter_name = "lane"

    def lookups(self, _request: HttpRequest, _model_admin: ModelAdmin) -> list[tuple[str, str]]:
        """All three."""
        return [(lane.value, lane.value) for lane in TrafficType]


class AcceptedFilter(Choice):
    """Since when; `since` and `until` also take moments, as links from elsewhere write them."""

    title = "accepted"
    parameter_name = "since"

    def lookups(self, _request: HttpRequest, _model_admin: ModelAdmin) -> list[tuple[str, str]]:
        """Spans that people think in."""
        return [("1h", "in the last hour"), ("24h", "in the last 24 hours"), ("7d", "in the last 7 days"), ("30d", "in the last 30 days")]


_FILTERS = (StatusFilter, ClientFilter, ProviderFilter, ModeFilter, LaneFilter, AcceptedFilter)


def lookup_of(parameters: Any) -> Lookup:
    """Which messages a list's query asks for; what makes no sense asks for nothing."""
    term = parameters.get("q", "").strip()
    number = _number(term)
    return Lookup(
        client_id=parameters.get("client") or None,
        to=number,
        reference=term if term and number is None else None,
        status=parameters.get("status") or None,
        provider=parameters.get("provider") or None,
        mode=parameters.get("mode") or None,
        lane=parameters.get("lane") or None,
        since=_moment(parameters.get("since") or ""),
        until=_moment(parameters.get("until") or ""),
    )


def _number(term: str) -> str | None:
    """A number as people write it: with spaces, brackets, or 00 in place of the plus."""
    bare = _BETWEEN.sub("", term)
    bare = f"+{bare[2:]}" if bare.startswith("00") else bare
    return bare if is_e164(bare) else None


def _moment(text: str) -> datetime | None:
    if text in _SPANS:
        return timezone.now() - _SPANS[text]
    try:
        found = parse_datetime(text)
    except ValueError:
        return None
    return found.astimezone(timezone.get_current_timezone()) if found is not None else None


class MessageChangeList(KeysetChangeList):
    """A page of `messages.lookup`."""

    def get_filters_params(self, params: dict[str, Any] | None = None) -> dict[str, Any]:
        """`until` has no filter on the page: links from elsewhere give it."""
        found: dict[str, Any] = super().get_filters_params(params)
        return {name: value for name, value in found.items() if name != "until"}

    def get_results(self, request: HttpRequest) -> None:
        """By tracking id one; else by what the filters say."""
        term = self.query.strip()
        before = self._key(self._before)
        if is_tracking_id(term):
            targets = Alias.objects.filter(alias=UUID(term)).values_list("message_id", flat=True)
            ids, further = [UUID(term), *targets], None
        else:
            found = page(lookup_of(request.GET), before=before, limit=self.list_per_page)
            ids, further = found.ids, found.before
            if found.looked_through and further is not None:
                self.looked_through = moment_of(further)
        known = self.root_queryset.select_related("client").in_bulk(ids)
        rows = [known[each] for each in ids if each in known]
        self.older = None if further is None else self.get_query_string({BEFORE: str(further)})
        self.newest = None if before is None else self.get_query_string()
        self._shown(request, rows)


@admin.register(Message)
class MessageAdmin(KeysetAdmin):
    """One line a message; its page tells the whole story."""

    list_display = ("created_at", "state", "to", "client", "provider", "lane", "tries", "error_code", "short_id")
    list_display_links = ("created_at",)
    list_filter = _FILTERS
    empty = "No client has sent a message yet. It does so by POST /v1/messages with its API key; ./smsgw demo sends some."
    list_before_template = "console/messages_before.html"
    search_fields = ("id",)
    search_help_text = "A tracking id, a whole number (+44…), or a client's reference."
    actions = None

    def get_changelist(self, _request: HttpRequest, **_given: Any) -> type[MessageChangeList]:
        """By `messages.lookup`."""
        return MessageChangeList

    def get_search_results(self, _request: HttpRequest, queryset: QuerySet[Message], _term: str) -> tuple[QuerySet[Message], bool]:
        """The list finds them itself."""
        return queryset, False

    def lookup_allowed(self, lookup: str, _value: Any, _request: HttpRequest) -> bool:
        """Nothing but the filters."""
        return lookup in {each.parameter_name for each in _FILTERS}

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """With what may be done with what is found."""
        more = {"may_export": self.may(request, Right.EXPORT_MESSAGES), "may_see_all": self.may(request, Right.VIEW_PERSONAL_DATA)}
        return super().changelist_view(request, (extra_context or {}) | more)

    def get_urls(self) -> list[URLPattern]:
        """A message's page, what can be done there, and the list as a file."""
        view = self.admin_site.admin_view
        return [
            path("export/", view(message_page.export(self, lookup_of)), name="sms_messages_message_export"),
            path("<uuid:tracking_id>/change/", view(message_page.shown(self)), name="sms_messages_message_change"),
            path("<uuid:tracking_id>/reveal/", view(message_page.revealed(self)), name="sms_messages_message_reveal"),
            path("<uuid:tracking_id>/cancel/", view(message_page.canceled(self)), name="sms_messages_message_cancel"),
            path("<uuid:tracking_id>/resend/", view(message_page.resent(self)), name="sms_messages_message_resend"),
            *super().get_urls(),
        ]

    @admin.display(description="to")
    def to(self, message: Message) -> str:
        """Masked."""
        return shown_number(message.recipient)

    @display(description="Status", label=STATUS_COLOURS)
    def state(self, message: Message) -> str:
        """In colour, too."""
        return message.status

    @admin.display(description="attempts")
    def tries(self, message: Message) -> int:
        """How many providers were asked."""
        return message.attempts

    @admin.display(description="tracking id")
    def short_id(self, message: Message) -> str:
        """Whole, for copying."""
        return str(message.pk)
