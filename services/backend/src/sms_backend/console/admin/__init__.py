"""The web console: Django's admin. Only the web process loads it, through `config.urls`."""

from django.contrib.admin import site

from sms_backend.console.admin import accounts, messages, parked, providers, users

__all__ = ("accounts", "messages", "parked", "providers", "site", "users")
