"""
Who may do what in the console: rights, and the three roles that are sets of them.

The one seam: every page and every action asks `permits` for a `Right`, or for a model's permission in Django's spelling
(`accounts.view_client`). A role is a Django group, whose permissions are set to this table at each `migrate`.
"""

from enum import StrEnum

from django.http import HttpRequest


class Right(StrEnum):
    """What is more than looking at, or changing, a row. Each is a permission of `console.Access`."""

    VIEW_DASHBOARD = "console.view_dashboard"  #: whether it is healthy, is fast, and what fails
    EXPLAIN_ROUTES = "console.explain_routes"  #: which providers a message would have
    VIEW_PERSONAL_DATA = "console.view_personal_data"  #: numbers and texts in full, one at a time and recorded
    EXPORT_MESSAGES = "console.export_messages"  #: the list as a file
    CANCEL_MESSAGES = "console.cancel_messages"
    RESEND_MESSAGES = "console.resend_messages"  #: the same text to the same number, as a new message
    SUSPEND_CLIENTS = "console.suspend_clients"  #: refuse a client's messages, and let it go on
    REVOKE_KEYS = "console.revoke_keys"
    TOGGLE_PROVIDERS = "console.toggle_providers"  #: put into selection, take out of it
    TEST_PROVIDERS = "console.test_providers"  #: send one message through one provider
    PAUSE_SENDING = "console.pause_sending"  #: hold messages, and let them go on
    REPLAY_WEBHOOKS = "console.replay_webhooks"
    REPLAY_PARKED = "console.replay_parked"  #: put back what could not be processed

    @property
    def codename(self) -> str:
        """As Django keeps it."""
        return self.value.partition(".")[2]


class Role(StrEnum):
    """Whoever may sign in has one."""

    VIEWER = "viewer"  #: looks; numbers and texts are masked
    OPERATOR = "operator"  #: a day's operations: holds, cancels, resends, replays, reveals
    ADMIN = "admin"  #: also configuration, credentials, users, and the audit trail


_LOOKING = frozenset(
    {
        Right.VIEW_DASHBOARD,
        Right.EXPLAIN_ROUTES,
        "accounts.view_client",
        "accounts.view_apikey",
        "accounts.view_webhookendpoint",
        "accounts.view_inboundnumber",
        "routing.view_provider",
        "routing.view_pause",
        "sms_messages.view_message",
        "sms_messages.view_inboundmessage",
        "sms_messages.view_suppression",
        "sms_messages.view_webhookdelivery",
        "sms_messages.view_parked",
    }
)
_OPERATING = frozenset(Right) | {"sms_messages.add_suppression", "sms_messages.delete_suppression"}
_CONFIGURING = frozenset(
    {
        *(f"accounts.{verb}_{model}" for model in ("client", "apikey", "webhookendpoint", "inboundnumber") for verb in ("add", "change")),
        "accounts.delete_inboundnumber",
        "accounts.delete_webhookendpoint",
        "routing.add_provider",
        "routing.change_provider",
        "auth.view_user",
        "auth.add_user",
        "auth.change_user",
        "console.view_auditentry",
    }
)
#: Role to permissions, in Django's spelling.
ROLES: dict[Role, frozenset[str]] = {
    Role.VIEWER: _LOOKING,
    Role.OPERATOR: _LOOKING | _OPERATING,
    Role.ADMIN: _LOOKING | _OPERATING | _CONFIGURING,
}


def permits(request: HttpRequest, right: str) -> bool:
    """Whether whoever asks may do this; `right` is a `Right` or a permission in Django's spelling."""
    return request.user.is_active and request.user.has_perm(str(right))
