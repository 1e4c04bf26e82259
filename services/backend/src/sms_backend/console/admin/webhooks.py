"""Where clients hear of their messages, what went there, and each try."""

from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.postgres.forms import SimpleArrayField
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_POST
from unfold.decorators import display
from unfold.widgets import UnfoldAdminTextInputWidget

from sms_backend.accounts import webhooks
from sms_backend.accounts.models import WebhookEndpoint
from sms_backend.console.admin.base import KeptAdmin, KeysetAdmin, action
from sms_backend.console.admin.filters import TimeFilter, ValueFilter
from sms_backend.console.audit import Document, audited, record
from sms_backend.console.problems import add_problems
from sms_backend.console.rights import Right
from sms_backend.console.site import page
from sms_backend.console.webhook_documents import endpoint_document
from sms_backend.core.errors import InvalidError, NotFoundError
from sms_backend.messages import deliveries
from sms_backend.messages.hot import hot_cursor
from sms_backend.messages.webhook_models import WebhookDelivery, WebhookTry

_BACK = timedelta(days=4)  #: as far as the schedule of tries goes
_CHANGE = "accounts.change_webhookendpoint"


class EndpointForm(forms.ModelForm):
    """Checked by the same rules as the operator's command."""

    url = forms.CharField(label="URL", widget=UnfoldAdminTextInputWidget(attrs={"inputmode": "url"}), help_text="https, a public address.")
    types = SimpleArrayField(
        forms.CharField(),
        required=False,
        widget=UnfoldAdminTextInputWidget,
        help_text=f"Comma-separated; none: all. {', '.join(webhooks.TYPES)}.",
    )

    class Meta:
        model = WebhookEndpoint
        fields = ("client", "url", "types")

    def clean(self) -> dict[str, Any]:
        """The address, and the types."""
        given = self.cleaned_data
        try:
            webhooks.check_endpoint(given.get("url", ""), given.get("types") or ())
        except InvalidError as error:
            add_problems(self, error, names={"type": "types"})
        return given


@admin.register(WebhookEndpoint)
class WebhookEndpointAdmin(KeptAdmin):
    """Added, switched, given another secret; what it missed can be delivered again."""

    noun = "webhook"
    form = EndpointForm
    list_display = ("id", "client", "url", "state", "failing_since", "created_at")
    list_filter = ("client",)
    list_select_related = ("client",)
    search_fields = ("id", "url", "client__name")
    actions = ("enable", "disable", "rotate", "replay_failed")
    change_form_template = "console/webhook_endpoint.html"

    def document(self, obj: WebhookEndpoint) -> Document:
        """Without its secret."""
        return endpoint_document(obj) if obj.client_id else {}

    @display(description="State", label={"enabled": "success", "failing": "warning", "disabled": "danger"})
    def state(self, endpoint: WebhookEndpoint) -> str:
        """As a word."""
        if endpoint.disabled_at is not None:
            return "disabled"
        return "enabled" if endpoint.failing_since is None else "failing"

    def has_change_permission(self, _request: HttpRequest, _obj: Model | None = None) -> bool:
        """Another address is another endpoint."""
        return False

    def get_fields(self, _request: HttpRequest, obj: WebhookEndpoint | None = None) -> tuple[str, ...]:
        """A new one has no history."""
        more = () if obj is None else ("id", "state", "failing_since", "disabled_at", "disabled_reason", "created_at")
        return ("client", "url", "types", *more)

    def get_readonly_fields(self, request: HttpRequest, obj: WebhookEndpoint | None = None) -> tuple[str, ...]:
        """All of one that is there."""
        return () if obj is None else self.get_fields(request, obj)

    @sensitive_variables("issued")
    def save_model(self, request: HttpRequest, obj: WebhookEndpoint, form: Any, _change: bool) -> None:  # noqa: FBT001 - Django's signature
        """Through the service; the secret lives as long as this request."""
        given = form.cleaned_data
        issued = webhooks.add_endpoint(given["client"], given["url"], types=given["types"] or ())
        obj.id = issued.endpoint.id
        obj.refresh_from_db()
        request.secret_once = issued.secret  # type: ignore[attr-defined]

    def response_add(self, request: HttpRequest, obj: WebhookEndpoint, _post_url_continue: str | None = None) -> HttpResponse:
        """The one sight of the secret: an answer, no redirect, so that it is kept nowhere."""
        return self._secret_shown(request, obj, request.secret_once)  # type: ignore[attr-defined]

    @action("Enable: write to it again", right=_CHANGE)
    def enable(self, request: HttpRequest, chosen: QuerySet[WebhookEndpoint]) -> None:
        """What was given up meanwhile can be replayed."""
        for endpoint in chosen:
            with audited(request, "webhook.enabled", endpoint, document=self.document):
                webhooks.enable_endpoint(endpoint)

    @action("Disable: write to it no more", right=_CHANGE)
    def disable(self, request: HttpRequest, chosen: QuerySet[WebhookEndpoint]) -> None:
        """It keeps its secret."""
        for endpoint in chosen:
            with audited(request, "webhook.disabled", endpoint, document=self.document):
                webhooks.disable_endpoint(endpoint)

    @action("New secret: the one before it signs too for a day", right=_CHANGE)
    @sensitive_variables("secret")
    def rotate(self, request: HttpRequest, chosen: QuerySet[WebhookEndpoint]) -> HttpResponse | None:
        """One at a time: each is shown once."""
        endpoints = list(chosen)
        if len(endpoints) != 1:
            messages.error(request, "Tick one: each new secret is shown once.")
            return None
        secret = webhooks.rotate(endpoints[0])
        record(request, "webhook.secret_rotated", endpoints[0])
        return self._secret_shown(request, endpoints[0], secret)

    @action("Deliver again what it missed in the last 4 days", right=Right.REPLAY_WEBHOOKS)
    def replay_failed(self, request: HttpRequest, chosen: QuerySet[WebhookEndpoint]) -> None:
        """What was given up, with the whole schedule ahead."""
        for endpoint in chosen:
            if endpoint.disabled_at is not None:
                messages.error(request, f"{endpoint.url} is disabled: enable it first.")
                continue
            with hot_cursor() as cursor:
                count = deliveries.replay_since(cursor, endpoint.id, timezone.now() - _BACK, all_of_them=False)
            record(request, "webhook.replayed", endpoint, changes={"deliveries": count})
            messages.success(request, f"{count} will be delivered again to {endpoint.url}.")

    def _secret_shown(self, request: HttpRequest, endpoint: WebhookEndpoint, secret: str) -> HttpResponse:
        context = self.admin_site.each_context(request) | {
            "title": "A webhook's secret",
            "endpoint": endpoint,
            "secret": secret,
            "opts": self.opts,
        }
        return TemplateResponse(request, "console/secret_issued.html", context, headers={"Cache-Control": "no-store"})


class StateFilter(ValueFilter):
    """How it stands with a delivery."""

    title = "state"
    parameter_name = "state"
    values = ("pending", "delivered", "failed")


class TypeFilter(ValueFilter):
    """What it tells."""

    title = "type"
    parameter_name = "type"
    values = tuple(webhooks.TYPES)


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(KeysetAdmin):
    """One event for one receiver; bodies hold numbers and texts, and are not shown."""

    list_display = ("id", "created_at", "client", "type", "outcome", "tries", "reason", "next_try_at")
    list_filter = (StateFilter, TypeFilter, "client", TimeFilter)
    looks_through = True
    empty = "Each event that a client's webhook is told of stands here, with its tries. Add a webhook to a client, and send."
    list_select_related = ("client",)
    fields = ("id", "client", "type", "message_id", "target", "outcome", "reason", "next_try_at", "created_at", "finished_at", "each_try")
    actions = ("replay",)

    @display(description="State", label={"pending": "info", "delivered": "success", "failed": "danger"})
    def outcome(self, delivery: WebhookDelivery) -> str:
        """In colour, too."""
        return delivery.state

    @admin.display(description="tries")
    def each_try(self, delivery: WebhookDelivery) -> SafeString | str:
        """When, how long, what was answered."""
        rows = WebhookTry.objects.filter(delivery_id=delivery.id).order_by("number")
        told = format_html_join(
            "",
            "<li>{} UTC, {} ms: {}</li>",
            (
                (
                    f"{row.started_at:%Y-%m-%d %H:%M:%S}",
                    round(row.seconds * 1000),
                    " ".join(str(x) for x in (row.status, row.reason or "delivered") if x),
                )
                for row in rows
            ),
        )
        return format_html('<ol class="console-numbered">{}</ol>', told) if told else "none yet"

    @action("Deliver again", right=Right.REPLAY_WEBHOOKS)
    def replay(self, request: HttpRequest, chosen: QuerySet[WebhookDelivery]) -> None:
        """Under the same id, with the whole schedule ahead."""
        count = 0
        for delivery in chosen:
            with hot_cursor() as cursor:
                done = deliveries.replay(cursor, delivery.id)
            if done:
                record(request, "webhook.replayed", delivery)
            count += done
        messages.success(request, f"{count} will be delivered again.")


@page("webhooks/<str:endpoint_id>/replay/", name="webhook_replay", right=Right.REPLAY_WEBHOOKS)
@require_POST
def replay_since(request: HttpRequest, endpoint_id: str) -> HttpResponse:
    """All that an endpoint missed since an hour ago, a day ago, or four days ago."""
    try:
        endpoint = webhooks.endpoint_with(endpoint_id)
    except NotFoundError as error:
        messages.error(request, str(error))
        return HttpResponseRedirect(reverse("admin:accounts_webhookendpoint_changelist"))
    hours = {"1": 1, "24": 24}.get(request.POST.get("hours", ""), 96)
    with hot_cursor() as cursor:
        count = deliveries.replay_since(cursor, endpoint.id, timezone.now() - timedelta(hours=hours), all_of_them=False)
    record(request, "webhook.replayed", endpoint, changes={"deliveries": count, "hours": hours})
    messages.success(request, f"{count} will be delivered again.")
    return HttpResponseRedirect(reverse("admin:accounts_webhookendpoint_change", args=[endpoint.id]))
