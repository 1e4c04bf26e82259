"""Messages from people, and whose the numbers are that they write to."""

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin import ModelAdmin
from django.http import HttpRequest
from unfold.decorators import display

from sms_backend.accounts import numbers, validation
from sms_backend.accounts.models import InboundNumber
from sms_backend.console.admin.base import ConsoleAdmin, KeysetAdmin
from sms_backend.console.admin.filters import TimeFilter, ValueFilter
from sms_backend.console.audit import Document
from sms_backend.console.rights import Right, permits
from sms_backend.messages.inbound_models import InboundMessage
from sms_backend.routing.models import Provider
from sms_contract.phone import masked


class NumberForm(forms.ModelForm):
    """By the same rules as the operator's command."""

    class Meta:
        model = InboundNumber
        fields = ("number", "client", "provider")

    def clean_number(self) -> str:
        """A number, a short code, or a name."""
        try:
            return validation.sender(self.cleaned_data["number"])
        except ValueError as error:
            raise forms.ValidationError(str(error)) from None

    def clean_provider(self) -> str:
        """One that is there, or any."""
        slug: str = self.cleaned_data["provider"]
        if slug and not Provider.objects.filter(slug=slug).exists():
            raise forms.ValidationError(f"there is no provider {slug!r}")
        return slug


@admin.register(InboundNumber)
class InboundNumberAdmin(ConsoleAdmin):
    """Numbers of ours are nobody's secret."""

    noun = "number"
    form = NumberForm
    list_display = ("number", "client", "provider", "created_at")
    list_filter = ("client",)
    list_select_related = ("client",)
    search_fields = ("number",)

    def document(self, obj: InboundNumber) -> Document:
        """All of it."""
        return {"number": obj.number, "client": obj.client_id, "provider": obj.provider or None}

    def has_change_permission(self, _request: HttpRequest, _obj: Any = None) -> bool:
        """Removed, and given to somebody else."""
        return False

    def save_model(self, _request: HttpRequest, obj: InboundNumber, form: Any, _change: bool) -> None:  # noqa: FBT001 - Django's signature
        """Through the service."""
        given = form.cleaned_data
        made = numbers.add_number(given["number"], given["client"], provider=given["provider"])
        obj.pk = made.pk
        obj.refresh_from_db()


class AsksFilter(ValueFilter):
    """What a person asks for by a word alone."""

    title = "asks"
    parameter_name = "asks"
    values = ("stop", "start", "help")


class ProviderFilter(ValueFilter):
    """Who brought it."""

    title = "provider"
    parameter_name = "provider"

    def lookups(self, _request: HttpRequest, _model_admin: ModelAdmin) -> list[tuple[str, str]]:
        """Those that there are now."""
        return [(slug, slug) for slug in Provider.objects.order_by("slug").values_list("slug", flat=True)]


@admin.register(InboundMessage)
class InboundMessageAdmin(KeysetAdmin):
    """Masked; the text is for those who may see numbers and texts."""

    list_display = ("id", "received_at", "client", "who", "recipient", "provider", "asks", "handed_on_at")
    list_filter = ("client", AsksFilter, ProviderFilter, TimeFilter)
    looks_through = True
    led_by = "client"
    empty = "What people write to your numbers stands here. Say under Numbers whose client a number is."
    list_select_related = ("client",)

    @display(description="from")
    def who(self, message: InboundMessage) -> str:
        """Masked."""
        return masked(message.sender)

    def get_fields(self, request: HttpRequest, _obj: Any = None) -> tuple[str, ...]:
        """Number and text by right."""
        whole = permits(request, Right.VIEW_PERSONAL_DATA)
        shown = ("sender", "recipient", "text") if whole else ("who", "recipient")
        return ("id", "client", *shown, "provider", "segments", "asks", "part", "parts", "received_at", "handed_on_at")
