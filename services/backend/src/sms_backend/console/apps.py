from collections.abc import Mapping
from typing import Any

from django.apps import AppConfig, apps
from django.contrib.admin.apps import SimpleAdminConfig
from django.db.models.signals import post_migrate

from sms_backend.console.actors import operator
from sms_backend.console.groups import write_roles
from sms_backend.core.operator import changed


class SiteConfig(SimpleAdminConfig):
    """Django's admin with our site in place of its own."""

    default_site = "sms_backend.console.site.ConsoleSite"


class ConsoleConfig(AppConfig):
    default = True
    name = "sms_backend.console"
    label = "console"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Roles follow the code at each `migrate`; the trail listens to commands of apps that do not know it."""
        changed.connect(_write_down, dispatch_uid="console.trail")
        # When the last app has made its permissions.
        post_migrate.connect(_follow, sender=list(apps.get_app_configs())[-1], dispatch_uid="console.roles")


def _write_down(action: str, changes: Mapping[str, Any], **_given: Any) -> None:
    apps.get_model("console", "AuditEntry").objects.create(who=operator().who, action=action, changes=dict(changes))


def _follow(**_given: Any) -> None:
    write_roles()
