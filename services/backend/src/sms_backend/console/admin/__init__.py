"""The web console: Django's admin. Only the web process loads it, through `config.urls`."""

from django.contrib.admin import site

from sms_backend.console import signing_in
from sms_backend.console.admin import (
    audit,
    clients,
    dashboard,
    inbound,
    keys,
    messages,
    parked,
    pauses,
    profile,
    providers,
    routes,
    second_factor,
    suppressions,
    users,
    webhooks,
)

__all__ = (
    "audit",
    "clients",
    "dashboard",
    "inbound",
    "keys",
    "messages",
    "parked",
    "pauses",
    "profile",
    "providers",
    "routes",
    "second_factor",
    "signing_in",
    "site",
    "suppressions",
    "users",
    "webhooks",
)
