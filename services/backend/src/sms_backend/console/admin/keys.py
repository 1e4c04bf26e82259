"""API keys: issued, rotated and revoked, never changed; each is shown once."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any, ClassVar, cast

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables
from unfold.decorators import display
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget, UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from sms_backend.accounts import services, validation
from sms_backend.accounts.models import ApiKey
from sms_backend.accounts.services import IssuedKey
from sms_backend.console.admin.base import KeptAdmin, action
from sms_backend.console.audit import Document, audited, record
from sms_backend.console.documents import key_document
from sms_backend.console.rights import Right
from sms_backend.console.site import page_context
from sms_backend.core.errors import OperatorError

#: How long the old key goes on working beside the new one.
_GRACES = {"0": "not at all: it ends now", "1": "one hour", "24": "one day", "168": "one week"}


class KeyForm(forms.ModelForm):
    """What a new key may do."""

    scopes = forms.MultipleChoiceField(
        choices=[(scope, scope) for scope in validation.SCOPES],
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        required=False,
        help_text="None ticked: all.",
    )

    class Meta:
        model = ApiKey
        fields = ("client", "mode", "scopes", "networks", "expires_at")
        widgets = {"networks": UnfoldAdminTextInputWidget}
        labels = {"networks": "Networks", "expires_at": "Valid until"}
        help_texts = {
            "mode": "A test key's messages never reach a real provider, and are never charged.",
            "networks": "From where it may be used: CIDR, separated by commas; none: from anywhere.",
            "expires_at": "Empty: until it is revoked.",
        }

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


class RotationForm(forms.Form):
    """How long both keys work."""

    grace = forms.ChoiceField(
        label="The old key goes on working", choices=list(_GRACES.items()), initial="24", widget=UnfoldAdminSelectWidget
    )


@admin.register(ApiKey)
class ApiKeyAdmin(KeptAdmin):
    """Keys: issued and revoked, never changed."""

    noun = "key"
    form = KeyForm
    empty = "A key lets a client send. Issue one from the client's page."
    list_display = ("id", "client", "mode", "state", "scopes", "networks", "expires_at", "created_at")
    list_filter = ("mode", "client")
    list_select_related = ("client",)
    search_fields = ("id", "client__name")
    readonly_fields = ("id", "revoked_at", "created_at")
    actions = ("revoke",)
    change_form_outer_before_template = "console/key_before.html"
    empty_value_display: ClassVar[str] = "-"

    def document(self, obj: ApiKey) -> Document:
        """Nothing that would let one use it."""
        return key_document(obj, timezone.now())

    @display(description="State", label={"valid": "success", "revoked": "danger", "expired": "warning"})
    def state(self, key: ApiKey) -> str:
        """Whether it opens anything."""
        return str(key_document(key, timezone.now())["state"])

    def has_change_permission(self, _request: HttpRequest, _obj: Model | None = None) -> bool:
        """A key is what it was issued as."""
        return False

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
    def response_add(self, request: HttpRequest, _obj: ApiKey, _post_url_continue: str | None = None) -> HttpResponse:
        """The one sight of the key."""
        issued: IssuedKey = request.issued_key  # type: ignore[attr-defined]
        return self._shown_once(request, issued)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """With what can be done with it."""
        key = ApiKey.objects.select_related("client").filter(pk=object_id).first()
        valid = key is not None and self.state(key) == "valid"
        more = {
            "key": key,
            "may_rotate": valid and self.may(request, "accounts.add_apikey"),
            "may_revoke": valid and self.may(request, Right.REVOKE_KEYS),
        }
        return cast("HttpResponse", super().change_view(request, object_id, form_url, (extra_context or {}) | more))

    def get_urls(self) -> list[URLPattern]:
        """Pages of a key."""
        view = self.admin_site.admin_view
        return [
            path("<str:object_id>/rotate/", view(self.rotate), name="accounts_apikey_rotate"),
            path("<str:object_id>/revoke/", view(self.revoke_one), name="accounts_apikey_revoke"),
            *super().get_urls(),
        ]

    @sensitive_variables("issued")
    def rotate(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """A new key that may do the same; the old one ends after a while."""
        key = self._named(request, object_id, "accounts.add_apikey")
        form = RotationForm(request.POST or None)
        if not form.is_valid():
            context = page_context(request, "Rotate a key", key=key, form=form, opts=self.opts)
            return TemplateResponse(request, "console/key_rotate.html", context)
        try:
            with transaction.atomic(), audited(request, "key.rotated", key, document=self.document):
                issued = services.rotate_key(key, grace=timedelta(hours=int(form.cleaned_data["grace"])))
                record(request, "key.added", issued.key, changes={"in_place_of": key.id})
        except OperatorError as error:
            return self._told_at(request, key, error)
        return self._shown_once(request, issued)

    def revoke_one(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Asked for, then done."""
        key = self._named(request, object_id, Right.REVOKE_KEYS)
        if request.method != "POST":
            context = page_context(request, "Revoke this key?", key=key, opts=self.opts)
            return TemplateResponse(request, "console/key_revoke.html", context)
        try:
            with audited(request, "key.revoked", key, document=self.document):
                services.revoke_key(key)
        except OperatorError as error:
            return self._told_at(request, key, error)
        messages.success(request, "Revoked.")
        return HttpResponseRedirect(reverse("admin:accounts_apikey_change", args=[key.pk]))

    @action("Revoke", right=Right.REVOKE_KEYS)
    def revoke(self, request: HttpRequest, chosen: QuerySet[ApiKey]) -> None:
        """When this returns the gateway knows, within five seconds."""
        for key in chosen:
            with audited(request, "key.revoked", key, document=self.document):
                services.revoke_key(key)
        self.message_user(request, "Revoked.")

    def _named(self, request: HttpRequest, object_id: str, right: str) -> ApiKey:
        if not (self.has_view_permission(request) and self.may(request, right)):
            raise PermissionDenied
        key = ApiKey.objects.select_related("client").filter(pk=object_id).first()
        if key is None or self.state(key) != "valid":
            raise Http404
        return key

    def _told_at(self, request: HttpRequest, key: ApiKey, error: OperatorError) -> HttpResponse:
        messages.warning(request, str(error))
        return HttpResponseRedirect(reverse("admin:accounts_apikey_change", args=[key.pk]))

    @sensitive_variables("issued")
    def _shown_once(self, request: HttpRequest, issued: IssuedKey) -> HttpResponse:
        """An answer, no redirect, so that it is kept nowhere."""
        context = page_context(request, "A new API key", key=issued.key, text=issued.text, opts=self.opts)
        return TemplateResponse(request, "console/key_issued.html", context, headers={"Cache-Control": "no-store"})
