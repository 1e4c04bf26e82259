"""The web console: Django's admin. Only the web process loads it, through `config.urls`."""

from django.contrib.admin import site

from sms_backend.console import signing_in
from sms_backend.console.admin import (
    audit,
    clients,
    dashboard,
    keys,
    messages,
    parked,
    profile,
    providers,
    second_factor,
    users,
)

__all__ = (
    "audit",
    "clients",
    "dashboard",
    "keys",
    "messages",
    "parked",
    "profile",
    "providers",
    "second_factor",
    "signing_in",
    "site",
    "users",
)
