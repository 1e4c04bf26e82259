"""`webhook`: where clients hear what becomes of their messages."""

import argparse
from argparse import Namespace
from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from sms_backend.accounts import selectors, validation, webhooks
from sms_backend.accounts.models import SigningSecrets, WebhookEndpoint
from sms_backend.accounts.subscriptions import subscriptions
from sms_backend.console.actors import operator
from sms_backend.console.audit import audited, difference, record
from sms_backend.console.webhook_documents import delivery_document, endpoint_document
from sms_backend.core.errors import InvalidError, NotFoundError
from sms_backend.core.operator import OperatorCommand, Shown, fields, rows_at_most, table
from sms_backend.messages import deliveries
from sms_backend.messages.hot import hot_cursor
from sms_backend.messages.webhook_models import WebhookDelivery
from sms_contract.ids import is_tracking_id

_LAST = 50


class Command(OperatorCommand):
    """Where clients hear what becomes of their messages."""

    help = "Webhooks: add, list, log, secret, rotate, replay, disable, enable."

    def verbs(self) -> None:
        add = self.verb("add", self.add, "Add an endpoint; its secret is shown once. From then on no event is missed.")
        add.add_argument("client", metavar="CLIENT", help="name or id")
        add.add_argument("url", metavar="URL")
        add.add_argument("--type", action="append", default=[], metavar="T", help="such as message.delivered; none named: all")
        self.verb("list", self.list, "List endpoints.").add_argument("client", metavar="CLIENT", nargs="?", help="of this client only")
        log = self.verb("log", self.log, "List what went to an endpoint, or was to go there, the newest first.")
        log.add_argument("endpoint", metavar="ENDPOINT")
        log.add_argument("--limit", type=rows_at_most, default=_LAST, metavar="N", help=f"at most so many; default: {_LAST}")
        secret = self.verb("secret", self.secret, "Show a client's default secret, which signs for `callback_url`.")
        secret.add_argument("client", metavar="CLIENT", help="name or id")
        rotate = self.verb("rotate", self.rotate, "Make a new secret; the one before it signs too for a while.")
        rotate.add_argument("owner", metavar="ENDPOINT|CLIENT", help="an endpoint, or a client for its default secret")
        rotate.add_argument("--overlap", type=_span, default=webhooks.OVERLAP, metavar="D", help="how long, such as 1h; default: 24h")
        replay = self.verb("replay", self.replay, "Deliver again: one webhook, or what an endpoint has missed.")
        replay.add_argument("what", metavar="WEBHOOK_ID|ENDPOINT")
        replay.add_argument("--since", type=_span, default=timedelta(days=1), metavar="D", help="of an endpoint: how far back; default: 1d")
        replay.add_argument("--all", action="store_true", dest="all_of_them", help="of an endpoint: also what has arrived")
        self.verb("disable", self.disable, "Write to an endpoint no more.").add_argument("endpoint", metavar="ENDPOINT")
        self.verb("enable", self.enable, "Write to an endpoint again.").add_argument("endpoint", metavar="ENDPOINT")

    def add(self, arguments: Namespace) -> Shown:
        client = selectors.client_named(arguments.client)
        with transaction.atomic():
            issued = webhooks.add_endpoint(client, arguments.url, types=arguments.type)
            record(operator(), "webhook.added", issued.endpoint, changes=difference({}, endpoint_document(issued.endpoint)))
        subscriptions.wait_until_known()
        return Shown(
            {"endpoint_id": issued.endpoint.id, "secret": issued.secret},
            f"endpoint id  {issued.endpoint.id}",
            f"secret       {issued.secret}",
            "It is not shown again.",
        )

    def list(self, arguments: Namespace) -> Shown:
        found = WebhookEndpoint.objects.select_related("client")
        if arguments.client is not None:
            found = found.filter(client=selectors.client_named(arguments.client))
        rows = [endpoint_document(endpoint) for endpoint in found]
        return Shown(rows, *table(rows, ("endpoint_id", "client", "state", "url", "types", "failing_since")))

    def log(self, arguments: Namespace) -> Shown:
        endpoint = webhooks.endpoint_with(arguments.endpoint)
        found = WebhookDelivery.objects.filter(target=endpoint.id).order_by("-id")[: arguments.limit]
        rows = [delivery_document(delivery) for delivery in found]
        return Shown(rows, *table(rows, ("webhook_id", "type", "tracking_id", "state", "tries", "reason", "next_try_at")))

    def secret(self, arguments: Namespace) -> Shown:
        client = selectors.client_named(arguments.client)
        newest = webhooks.signing_secrets(webhooks.default_secret(client))[0]
        record(operator(), "webhook.secret_shown", client)
        return Shown({"client": client.name, "secret": newest}, newest)

    def rotate(self, arguments: Namespace) -> Shown:
        owner, name = _owner(arguments.owner)
        with transaction.atomic():
            secret = webhooks.rotate(owner, overlap=arguments.overlap)
            record(operator(), "webhook.secret_rotated", owner)
        until = f"until {owner.previous_until:%Y-%m-%d %H:%M} UTC"
        return Shown(name | {"secret": secret}, secret, f"The one before it signs too {until}. This one is not shown again.")

    def replay(self, arguments: Namespace) -> Shown:
        with hot_cursor() as cursor:
            if is_tracking_id(arguments.what):
                count = deliveries.replay(cursor, UUID(arguments.what))
                if not count:
                    raise NotFoundError(f"there is no webhook {arguments.what!r} that could be replayed")
                record(operator(), "webhook.replayed", name=arguments.what, changes={"deliveries": count})
            else:
                endpoint = webhooks.endpoint_with(arguments.what)
                if endpoint.disabled_at is not None:
                    raise InvalidError({"endpoint": "it is disabled; `webhook enable` it first"})
                since = timezone.now() - arguments.since
                count = deliveries.replay_since(cursor, endpoint.id, since, all_of_them=arguments.all_of_them)
                changes = {"deliveries": count, "since": since.isoformat(), "all": arguments.all_of_them}
                record(operator(), "webhook.replayed", endpoint, changes=changes)
        return Shown({"replayed": count}, f"{count} will be delivered again")

    def disable(self, arguments: Namespace) -> Shown:
        endpoint = webhooks.endpoint_with(arguments.endpoint)
        with audited(operator(), "webhook.disabled", endpoint, document=endpoint_document):
            webhooks.disable_endpoint(endpoint)
        return _shown(endpoint)

    def enable(self, arguments: Namespace) -> Shown:
        endpoint = webhooks.endpoint_with(arguments.endpoint)
        with audited(operator(), "webhook.enabled", endpoint, document=endpoint_document):
            webhooks.enable_endpoint(endpoint)
        subscriptions.wait_until_known()
        return _shown(endpoint)


def _shown(endpoint: WebhookEndpoint) -> Shown:
    document = endpoint_document(endpoint)
    return Shown(document, *fields(document))


def _owner(name: str) -> tuple[SigningSecrets, dict[str, str]]:
    endpoint = WebhookEndpoint.objects.filter(id=name).first()
    if endpoint is not None:
        return endpoint, {"endpoint_id": endpoint.id}
    try:
        client = selectors.client_named(name)
    except NotFoundError:
        raise NotFoundError(f"there is no endpoint and no client {name!r}") from None
    return webhooks.default_secret(client), {"client": client.name}


def _span(text: str) -> timedelta:
    try:
        return validation.duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
