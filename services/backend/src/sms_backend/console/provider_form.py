"""The form of a provider, made from its adapter's schema; secrets can be written and never read."""

from typing import Any, Literal, get_args, get_origin

from django import forms
from pydantic import SecretStr
from pydantic.fields import FieldInfo

from sms_backend.console.problems import add_problems
from sms_backend.core.crypto import unseal
from sms_backend.core.errors import InvalidError
from sms_backend.routing import services
from sms_backend.routing.models import Provider
from sms_providers.registry import ADAPTERS

SETTINGS = ("priority", "weight", "throughput", "low_balance", "countries", "denied")
_PREFIX = "config_"
#: Words that are written in capitals.
_CAPITALS = {"api", "http", "id", "ids", "ip", "sid", "sms", "smsc", "tls", "url"}


class ProviderForm(forms.ModelForm):
    """What every provider has; `form_for` adds the adapter's own fields."""

    adapter: str = ""

    class Meta:
        model = Provider
        fields = ("slug", *SETTINGS)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.stored: dict[str, Any] = {} if self.instance.config == "" else unseal(self.instance.config)
        for name, field in self.fields.items():
            if not name.startswith(_PREFIX):
                continue
            known = self.stored.get(name.removeprefix(_PREFIX))
            if isinstance(field.widget, forms.PasswordInput):
                field.required = field.required and known is None
                field.help_text = f"{field.help_text} {'It is set; leave it empty to keep it.' if known else ''}".strip()
            elif known is not None:
                self.initial[name] = known

    def clean(self) -> dict[str, Any]:
        """By the services' rules; problems of the configuration stand beside its fields."""
        settings = {name: self.cleaned_data[name] for name in SETTINGS if name in self.cleaned_data}
        try:
            self.cleaned_data |= services.checked_settings(settings, adapter=self.adapter)
            services.checked_config(self.adapter, self.stored | self.given)
        except InvalidError as error:
            names = {f"config.{name.removeprefix(_PREFIX)}": name for name in self.fields if name.startswith(_PREFIX)}
            add_problems(self, error, names=names)
        return self.cleaned_data

    @property
    def given(self) -> dict[str, Any]:
        """What was filled in: an empty secret stays as it is, another empty field goes."""
        found: dict[str, Any] = {}
        for name, field in self.fields.items():
            value = self.cleaned_data.get(name)
            if not name.startswith(_PREFIX) or (value in {None, ""} and isinstance(field.widget, forms.PasswordInput)):
                continue
            found[name.removeprefix(_PREFIX)] = None if value == "" else value
        return found


def form_for(adapter: str) -> type[ProviderForm]:
    """A form with the fields of an adapter's schema."""
    fields = {f"{_PREFIX}{name}": _field(name, info) for name, info in ADAPTERS[adapter].Config.model_fields.items()}
    return type("ProviderForm", (ProviderForm,), {"adapter": adapter, **fields})


def config_fields(adapter: str) -> tuple[str, ...]:
    """Names of the adapter's fields in its form."""
    return tuple(f"{_PREFIX}{name}" for name in ADAPTERS[adapter].Config.model_fields)


def _field(name: str, info: FieldInfo) -> forms.Field:
    common: dict[str, Any] = {
        "label": _label(name),
        "help_text": info.description or "",
        "required": info.is_required(),
        "initial": None if info.is_required() else info.get_default(),
    }
    kinds = _kinds(info.annotation)
    if SecretStr in kinds:
        common["initial"] = None
        return forms.CharField(**common, widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}, render_value=False))
    if bool in kinds:
        return forms.BooleanField(**(common | {"required": False}))
    if int in kinds:
        return forms.IntegerField(**common)
    if choices := [kind for kind in kinds if isinstance(kind, str)]:
        return forms.ChoiceField(**common, choices=[(choice, choice) for choice in choices])
    extra = info.json_schema_extra
    if isinstance(extra, dict) and extra.get("format") == "multiline":
        return forms.CharField(**common, widget=forms.Textarea(attrs={"rows": 5, "spellcheck": "false"}))
    return forms.CharField(**common)


def _label(name: str) -> str:
    words = [word.upper().replace("IDS", "IDs") if word in _CAPITALS else word for word in name.split("_")]
    return " ".join([words[0][:1].upper() + words[0][1:], *words[1:]])


def _kinds(annotation: Any) -> set[Any]:
    """The plain types, and the literals, in an annotation."""
    arguments = get_args(annotation)
    if get_origin(annotation) is Literal:
        return set(arguments)
    return {annotation} if not arguments else set().union(*(_kinds(argument) for argument in arguments))
