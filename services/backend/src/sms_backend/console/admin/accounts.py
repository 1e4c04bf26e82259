"""Clients and their keys."""

from collections.abc import Callable
from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables
from unfold.decorators import display

from sms_backend.accounts import services, validation
from sms_backend.accounts.models import ApiKey, Client
from sms_backend.accounts.services import IssuedKey
from sms_backend.console.admin.base import KeptAdmin, action
from sms_backend.console.audit import Document, audited
from sms_backend.console.documents import client_document, key_document
from sms_backend.console.problems import add_problems
from sms_backend.console.rights import Right
from sms_backend.core.errors import InvalidError

_SETTINGS = ("name", "time_zone", "daily_quota", "rate", "burst", "default_sender", "senders", "countries", "denied", "on_unknown")


class ClientForm(forms.ModelForm):
    """Checked by the same rules as the operator's command."""

    class Meta:
        model = Client
        fields = _SETTINGS

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


@admin.register(Client)
class ClientAdmin(KeptAdmin):
    """Who may send, and how much."""

    noun = "client"
    form = ClientForm
    list_display = ("name", "id", "state", "daily_quota", "rate", "burst", "time_zone")
    search_fields = ("name", "id")
    readonly_fields = ("id", "suspended", "created_at")
    actions = ("suspend", "resume")
    fieldsets = (
        (None, {"fields": ("name", "id", "suspended", "created_at")}),
        ("Limits", {"fields": ("daily_quota", "time_zone", "rate", "burst")}),
        ("What it may send", {"fields": ("default_sender", "senders", "countries", "denied", "on_unknown")}),
    )

    def document(self, obj: Client) -> Document:
        """Every setting."""
        return client_document(obj)

    @display(description="State", label={"active": "success", "suspended": "warning"})
    def state(self, client: Client) -> str:
        """As a word, because colour alone says nothing to many."""
        return "suspended" if client.suspended else "active"

    def save_model(self, _request: HttpRequest, obj: Client, _form: Any, change: bool) -> None:  # noqa: FBT001 - Django's signature
        """Through the service, so that Redis follows."""
        services.save_client(obj, new=not change)

    @action("Suspend: refuse new messages, hold queued ones", right=Right.SUSPEND_CLIENTS)
    def suspend(self, request: HttpRequest, chosen: QuerySet[Client]) -> None:
        """One by one: each is written through."""
        for client in chosen:
            with audited(request, "client.suspended", client, document=self.document):
                services.suspend_client(client, suspended=True)

    @action("Resume", right=Right.SUSPEND_CLIENTS)
    def resume(self, request: HttpRequest, chosen: QuerySet[Client]) -> None:
        """One by one: each is written through."""
        for client in chosen:
            with audited(request, "client.resumed", client, document=self.document):
                services.suspend_client(client, suspended=False)


class KeyForm(forms.ModelForm):
    """What a new key may do."""

    scopes = forms.MultipleChoiceField(
        choices=[(scope, scope) for scope in validation.SCOPES],
        widget=forms.CheckboxSelectMultiple,
        required=False,
        help_text="None named: all.",
    )

    class Meta:
        model = ApiKey
        fields = ("client", "mode", "scopes", "networks", "expires_at")

    def clean(self) -> dict[str, Any]:
        """The same rules as the operator's command."""
        checks: dict[str, Callable[[Any], Any]] = {
            "networks": lambda value: validation.networks(value or ()),
            "expires_at": lambda value: validation.expiry(value, timezone.now()),
        }
        for name, check in checks.items():
            try:
                self.cleaned_data[name] = check(self.cleaned_data.get(name))
            except ValueError as error:
                self.add_error(name, str(error))
        return self.cleaned_data


@admin.register(ApiKey)
class ApiKeyAdmin(KeptAdmin):
    """Keys: issued and revoked, never changed."""

    noun = "key"
    form = KeyForm
    list_display = ("id", "client", "mode", "state", "scopes", "expires_at", "created_at")
    list_filter = ("mode", "client")
    list_select_related = ("client",)
    search_fields = ("id", "client__name")
    autocomplete_fields = ("client",)
    readonly_fields = ("id", "revoked_at", "created_at")
    actions = ("revoke",)

    @display(description="State", label={"valid": "success", "revoked": "danger", "expired": "warning"})
    def state(self, key: ApiKey) -> str:
        """Whether it opens anything."""
        if key.revoked_at is not None:
            return "revoked"
        return "expired" if key.expires_at is not None and key.expires_at <= timezone.now() else "valid"

    def has_change_permission(self, _request: HttpRequest, _obj: Model | None = None) -> bool:
        """A key is what it was issued as."""
        return False

    def document(self, obj: ApiKey) -> Document:
        """Nothing that would let one use it."""
        return key_document(obj, timezone.now())

    def get_fields(self, _request: HttpRequest, obj: ApiKey | None = None) -> tuple[str, ...]:
        """A new key has neither id nor dates."""
        return KeyForm.Meta.fields if obj is None else (*KeyForm.Meta.fields, "id", "revoked_at", "created_at")

    def save_model(self, request: HttpRequest, obj: ApiKey, form: Any, _change: bool) -> None:  # noqa: FBT001 - Django's signature
        """Through the service; the key's text lives as long as this request."""
        given = form.cleaned_data
        issued = services.issue_key(
            given["client"], mode=given["mode"], scopes=given["scopes"], expires=given["expires_at"], networks=given["networks"]
        )
        obj.id = issued.key.id
        obj.refresh_from_db()
        request.issued_key = issued  # type: ignore[attr-defined]

    @sensitive_variables("issued")
    def response_add(self, request: HttpRequest, obj: ApiKey, _post_url_continue: str | None = None) -> HttpResponse:
        """The one sight of the key: an answer, no redirect, so that it is kept nowhere."""
        issued: IssuedKey = request.issued_key  # type: ignore[attr-defined]
        context = self.admin_site.each_context(request) | {"title": "A new API key", "key": obj, "text": issued.text, "opts": self.opts}
        return TemplateResponse(request, "console/key_issued.html", context, headers={"Cache-Control": "no-store"})

    @action("Revoke", right=Right.REVOKE_KEYS)
    def revoke(self, request: HttpRequest, chosen: QuerySet[ApiKey]) -> None:
        """When this returns the gateway knows, within five seconds."""
        for key in chosen:
            with audited(request, "key.revoked", key, document=self.document):
                services.revoke_key(key)
        self.message_user(request, "Revoked.")

    empty_value_display: ClassVar[str] = "-"
