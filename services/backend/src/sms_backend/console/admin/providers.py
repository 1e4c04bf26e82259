"""Providers: accounts at vendors, with a form that their adapter's schema makes."""

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from unfold.decorators import display
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminPasswordWidget, UnfoldAdminTextInputWidget

from sms_backend.console.admin import provider_state
from sms_backend.console.admin.base import KeptAdmin, action
from sms_backend.console.audit import Document, audited
from sms_backend.console.documents import circuit_document, kept_provider
from sms_backend.console.provider_form import SETTINGS, ProviderForm, config_fields, form_for
from sms_backend.console.rights import Right
from sms_backend.routing import circuits, services
from sms_backend.routing.callback_urls import signed_account_url
from sms_backend.routing.models import Provider
from sms_backend.routing.selectors import TEST
from sms_providers.registry import ADAPTERS


@admin.register(Provider)
class ProviderAdmin(KeptAdmin):
    """In the order in which they are tried."""

    noun = "provider"
    list_display = ("slug", "adapter", "state", "circuit", "priority", "weight", "throughput", "countries")
    list_filter = ("active", "adapter")
    search_fields = ("slug",)
    actions = ("enable", "disable")
    change_form_template = "console/provider.html"

    def document(self, obj: Provider) -> Document:
        """Secrets hidden, the signed address among them; that one is another stands there all the same."""
        return kept_provider(obj)

    @display(description="State", label={"active": "success", "off": "warning"})
    def state(self, provider: Provider) -> str:
        """Whether it is in selection."""
        return "active" if provider.active else "off"

    @display(description="Circuit", label={"closed": "success", "open": "danger", "unknown": "warning"})
    def circuit(self, provider: Provider) -> str:
        """Whether it is taken out for being ill."""
        return str(circuit_document(provider.slug, circuits.said([provider.slug]))["state"])

    @display(description="Callback URL")
    def callback_url(self, provider: Provider) -> str:
        """For a vendor that is told one address for everything; those who may only look are not told."""
        return signed_account_url(provider.slug, provider.callback_token)

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """The built-in one has nothing to change."""
        built_in = isinstance(obj, Provider) and obj.adapter == TEST
        return not built_in and bool(super().has_change_permission(request, obj))

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """With how it is now, and a message to try it by."""
        provider = Provider.objects.filter(pk=object_id).first()
        more = {} if provider is None else provider_state.context(request, provider)
        response: HttpResponse = super().change_view(request, object_id, form_url, more | (extra_context or {}))
        return response

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The adapter comes first: it decides which fields there are."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        if self._adapter(request, None) is None:
            adapters = [(slug, adapter.title) for slug, adapter in sorted(ADAPTERS.items()) if slug != TEST]
            context = self.admin_site.each_context(request) | {"title": "Which vendor?", "adapters": adapters, "opts": self.opts}
            return TemplateResponse(request, "console/choose_adapter.html", context)
        response: HttpResponse = super().add_view(request, form_url, extra_context)
        return response

    def get_form(self, request: HttpRequest, obj: Provider | None = None, **_kwargs: Any) -> type[ProviderForm]:
        """Made from the schema, in the console's clothes."""
        adapter = self._adapter(request, obj)
        assert adapter is not None
        form = form_for(adapter)
        for field in form.base_fields.values():
            if isinstance(field.widget, forms.PasswordInput):
                field.widget = UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"}, render_value=False)
            elif isinstance(field.widget, forms.NumberInput):
                field.widget = UnfoldAdminIntegerFieldWidget(attrs={"step": "any"})
            elif isinstance(field.widget, forms.TextInput):
                field.widget = UnfoldAdminTextInputWidget()
        return form

    def get_fieldsets(self, request: HttpRequest, obj: Provider | None = None) -> list[tuple[str | None, dict[str, Any]]]:
        """Ours, then the vendor's."""
        adapter = self._adapter(request, obj) or TEST
        ours: tuple[str, ...] = ("slug", *SETTINGS) if obj is None else ("slug", "adapter", "active", *SETTINGS)
        if obj is not None and self.has_change_permission(request, obj):
            ours += ("callback_url",)
        return [
            (None, {"fields": ours}),
            (ADAPTERS[adapter].title if adapter in ADAPTERS else adapter, {"fields": config_fields(adapter)}),
        ]

    def get_readonly_fields(self, _request: HttpRequest, obj: Provider | None = None) -> tuple[str, ...]:
        """A provider keeps its name and its adapter."""
        return () if obj is None else ("slug", "adapter", "active", "callback_url")

    def save_model(self, _request: HttpRequest, obj: Provider, form: Any, change: bool) -> None:  # noqa: FBT001 - Django's signature
        """Through the service, so that Redis follows."""
        settings = {name: form.cleaned_data[name] for name in SETTINGS}
        if change:
            services.set_provider(obj, config=form.given, **settings)
        else:
            services.add_provider(obj.slug, adapter=form.adapter, config=form.given, **settings)
            obj.refresh_from_db()

    @action("Enable: put into selection", right=Right.TOGGLE_PROVIDERS)
    def enable(self, request: HttpRequest, chosen: QuerySet[Provider]) -> None:
        """One by one: each is written through."""
        for provider in chosen:
            with audited(request, "provider.enabled", provider, document=self.document):
                services.enable_provider(provider, active=True)

    @action("Disable: take out of selection", right=Right.TOGGLE_PROVIDERS)
    def disable(self, request: HttpRequest, chosen: QuerySet[Provider]) -> None:
        """One by one: each is written through."""
        for provider in chosen:
            with audited(request, "provider.disabled", provider, document=self.document):
                services.enable_provider(provider, active=False)

    @staticmethod
    def _adapter(request: HttpRequest, obj: Provider | None) -> str | None:
        wanted = request.GET.get("adapter", "") if obj is None else obj.adapter
        return wanted if wanted in ADAPTERS and (obj is not None or wanted != TEST) else None
