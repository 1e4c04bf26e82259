"""Clients: who may send, and how much; suspended and let go on by a button that asks first."""

from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.loader import render_to_string
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST
from unfold.decorators import display
from unfold.views import ChangeList
from unfold.widgets import UnfoldAdminTextInputWidget

from sms_backend.accounts import services
from sms_backend.accounts.models import Client
from sms_backend.console.admin.base import KeptAdmin, action
from sms_backend.console.audit import Document, audited
from sms_backend.console.documents import client_document
from sms_backend.console.problems import add_problems
from sms_backend.console.rights import Right
from sms_backend.console.usage import today_of, used_today
from sms_backend.core.errors import InvalidError, OperatorError

_SETTINGS = ("name", "time_zone", "daily_quota", "rate", "burst", "default_sender", "senders", "countries", "denied", "on_unknown")


class ClientForm(forms.ModelForm):
    """Checked by the same rules as the operator's command."""

    class Meta:
        model = Client
        fields = _SETTINGS
        widgets = dict.fromkeys(("default_sender", "senders", "countries", "denied"), UnfoldAdminTextInputWidget)
        labels = {
            "on_unknown": "When a provider never answers",
            "daily_quota": "Daily quota",
            "senders": "Allowed senders",
            "denied": "Denied countries",
        }
        help_texts = {
            "default_sender": "Used where a message names none: E.164, a short code, or up to 11 letters and digits.",
            "senders": "Separated by commas; none: all.",
            "countries": "Separated by commas, as GB or +44; none: all.",
            "denied": "Refused whatever is allowed: separated by commas, as GB or +44.",
            "time_zone": "Whose midnight starts the day of the quota, such as Europe/London.",
            "on_unknown": "resend: try once more, the person may get it twice. hold: leave it, the person may not get it.",
        }

    def clean(self) -> dict[str, Any]:
        """Each setting, then what they say to each other."""
        given = {name: self.cleaned_data[name] for name in _SETTINGS if name in self.cleaned_data}
        given["default_sender"] = given.get("default_sender") or None
        try:
            self.cleaned_data |= services.checked_client(given)
            services.check_together(Client(**{name: value for name, value in self.cleaned_data.items() if name in _SETTINGS}))
        except InvalidError as error:
            add_problems(self, error)
        return self.cleaned_data


class ClientChangeList(ChangeList):
    """With what each has used today, by one query."""

    result_list: Any

    def get_results(self, request: HttpRequest) -> None:
        """The page's own clients."""
        super().get_results(request)
        clients: list[Any] = list(self.result_list)
        used = used_today(clients)
        for client in clients:
            client.used_today = used[client.id]
        self.result_list = clients


@admin.register(Client)
class ClientAdmin(KeptAdmin):
    """Who may send, and how much."""

    noun = "client"
    form = ClientForm
    empty = "A client is an application that sends. Add one, then issue it a key."
    list_display = ("name", "state", "today", "rate", "burst", "time_zone", "id")
    search_fields = ("name", "id")
    list_filter = ("suspended",)
    readonly_fields = ("id", "created_at")
    actions = ("suspend", "resume")
    change_form_outer_before_template = "console/client_before.html"
    fieldsets = (
        (None, {"fields": ("name", "id", "created_at")}),
        ("Limits", {"fields": ("daily_quota", "time_zone", "rate", "burst")}),
        ("What it may send", {"fields": ("default_sender", "senders", "countries", "denied", "on_unknown")}),
    )

    def get_changelist(self, _request: HttpRequest, **_given: Any) -> type[ClientChangeList]:
        """With today's use."""
        return ClientChangeList

    def get_readonly_fields(self, _request: HttpRequest, obj: Client | None = None) -> tuple[str, ...]:
        """A new one has neither."""
        return () if obj is None else ("id", "created_at")

    def get_fieldsets(self, request: HttpRequest, obj: Client | None = None) -> Any:
        """A new one has neither id nor date."""
        if obj is not None:
            return super().get_fieldsets(request, obj)
        return ((None, {"fields": ("name",)}), *self.fieldsets[1:])

    def document(self, obj: Client) -> Document:
        """Every setting."""
        return client_document(obj)

    @display(description="State", label={"active": "success", "suspended": "warning"})
    def state(self, client: Client) -> str:
        """As a word, because colour alone says nothing to many."""
        return "suspended" if client.suspended else "active"

    @admin.display(description="Used today")
    def today(self, client: Client) -> SafeString:
        """In segments, against the quota."""
        from_tag = {"used": getattr(client, "used_today", 0), "limit": client.daily_quota}
        return render_to_string("console/usage_column.html", from_tag)

    def save_model(self, _request: HttpRequest, obj: Client, _form: Any, change: bool) -> None:  # noqa: FBT001 - Django's signature
        """Through the service, so that Redis follows."""
        services.save_client(obj, new=not change)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """With its use, its keys, and what can be done."""
        more: dict[str, Any] = {}
        client = Client.objects.filter(pk=object_id).first()
        if client is not None and self.has_view_or_change_permission(request, client):
            more = {
                "client": client,
                "used": used_today([client])[client.id],
                "today": today_of(client),
                "keys": list(client.keys.order_by("-created_at")) if self.may(request, "accounts.view_apikey") else [],
                "now": timezone.now(),
                "may_issue": self.may(request, "accounts.add_apikey"),
                "may_suspend": self.may(request, Right.SUSPEND_CLIENTS),
            }
        return cast("HttpResponse", super().change_view(request, object_id, form_url, (extra_context or {}) | more))

    def get_urls(self) -> list[URLPattern]:
        """Buttons of a client's page."""
        wrapped = self.admin_site.admin_view(require_POST(self.switch))
        return [path("<str:object_id>/switch/", wrapped, name="accounts_client_switch"), *super().get_urls()]

    def switch(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Suspend, or let go on."""
        if not self.may(request, Right.SUSPEND_CLIENTS):
            raise PermissionDenied
        client = Client.objects.filter(pk=object_id).first()
        if client is None:
            raise Http404
        try:
            self._switch(request, client, suspended=request.POST.get("to") == "suspended")
        except OperatorError as error:
            messages.warning(request, str(error))
        return HttpResponseRedirect(reverse("admin:accounts_client_change", args=[client.pk]))

    @action("Suspend: refuse new messages, hold queued ones", right=Right.SUSPEND_CLIENTS)
    def suspend(self, request: HttpRequest, chosen: QuerySet[Client]) -> None:
        """One by one: each is written through."""
        for client in chosen:
            self._switch(request, client, suspended=True)

    @action("Resume: take messages again, let held ones go on", right=Right.SUSPEND_CLIENTS)
    def resume(self, request: HttpRequest, chosen: QuerySet[Client]) -> None:
        """One by one: each is written through."""
        for client in chosen:
            self._switch(request, client, suspended=False)

    def _switch(self, request: HttpRequest, client: Client, *, suspended: bool) -> None:
        with audited(request, "client.suspended" if suspended else "client.resumed", client, document=self.document):
            services.suspend_client(client, suspended=suspended)
        messages.success(request, f"{client.name} is suspended." if suspended else f"{client.name} may send again.")
