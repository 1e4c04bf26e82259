"""`provider`: accounts at vendors, in the order in which they are tried."""

import argparse
import json
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sms_backend.console.actors import operator
from sms_backend.console.audit import added, audited, record
from sms_backend.console.documents import balance_document, balance_words, circuit_document, kept_provider, provider_document
from sms_backend.core.errors import InvalidError
from sms_backend.core.operator import OperatorCommand, Shown, fields, given, or_none, table
from sms_backend.routing import circuits, selectors, services
from sms_backend.routing.models import Provider
from sms_backend.routing.trial import TEXT, send_trial
from sms_contract.phone import masked
from sms_providers.errors import Outcome

_SETTINGS = ("priority", "weight", "throughput", "low_balance", "countries", "denied")
_COLUMNS = ("slug", "adapter", "active", "circuit", "balance", "priority", "weight", "throughput", "countries", "denied")


class Command(OperatorCommand):
    """Accounts at vendors."""

    help = "Providers: add, list, show, set, enable, disable, test."

    def verbs(self) -> None:
        add = self.verb("add", self.add, "Add a provider; it is active at once.")
        add.add_argument("slug", metavar="SLUG")
        add.add_argument("--adapter", required=True, metavar="A", help="`adapter list` names them")
        _add_settings(add, "JSON by the adapter's schema: a file, or - for stdin")
        self.verb("list", self.list, "List all providers, those tried first on top.")
        self.verb("show", self.show, "Show one provider; secrets stay hidden.").add_argument("slug", metavar="SLUG")
        change = self.verb("set", self.set, "Change what is named.")
        change.add_argument("slug", metavar="SLUG")
        _add_settings(change, "JSON laid over what is stored, null takes a field away: a file, or - for stdin")
        change.add_argument("--no-denied", dest="denied", action="store_const", const=[], default=argparse.SUPPRESS)
        change.add_argument("--any-country", dest="countries", action="store_const", const=[], default=argparse.SUPPRESS)
        test = self.verb("test", self.test, "Send one message through this provider alone; it really sends.")
        test.add_argument("slug", metavar="SLUG")
        test.add_argument("--to", required=True, metavar="N", help="E.164")
        test.add_argument("--sender", metavar="S", help="default: the provider's own")
        test.add_argument("--text", default=TEXT, help="default: a sentence that says what it is")
        self.verb("enable", self.enable, "Put it into selection, and close its circuit.").add_argument("slug", metavar="SLUG")
        self.verb("disable", self.disable, "Take it out of selection.").add_argument("slug", metavar="SLUG")

    def add(self, arguments: Namespace) -> Shown:
        settings = given(arguments, *_SETTINGS) | {"adapter": arguments.adapter, "config": _config(arguments)}
        return _shown(
            added(operator(), "provider.added", lambda: services.add_provider(arguments.slug, **settings), document=kept_provider)
        )

    def list(self, _arguments: Namespace) -> Shown:
        providers = list(Provider.objects.all())
        open_ones = circuits.said([provider.slug for provider in providers])
        rows = [
            _listed(provider) | {"circuit": circuit_document(provider.slug, open_ones), "balance": balance_document(provider)}
            for provider in providers
        ]
        lines = [row | {"circuit": row["circuit"]["state"], "balance": balance_words(row["balance"])} for row in rows]
        return Shown(rows, *table(lines, _COLUMNS))

    def show(self, arguments: Namespace) -> Shown:
        return _shown(selectors.provider_named(arguments.slug))

    def set(self, arguments: Namespace) -> Shown:
        provider = selectors.provider_named(arguments.slug)
        config = _config(arguments)
        with audited(operator(), "provider.changed", provider, document=kept_provider):
            services.set_provider(provider, config=config, **given(arguments, *_SETTINGS))
        return _shown(provider)

    def enable(self, arguments: Namespace) -> Shown:
        return self._switch(arguments, "provider.enabled", active=True)

    def disable(self, arguments: Namespace) -> Shown:
        return self._switch(arguments, "provider.disabled", active=False)

    def _switch(self, arguments: Namespace, action: str, *, active: bool) -> Shown:
        provider = selectors.provider_named(arguments.slug)
        with audited(operator(), action, provider, document=kept_provider):
            services.enable_provider(provider, active=active)
        return _shown(provider)

    def test(self, arguments: Namespace) -> Shown:
        provider = selectors.provider_named(arguments.slug)
        document = send_trial(provider, to=arguments.to, sender=arguments.sender, text=arguments.text)
        record(operator(), "provider.tested", provider, changes={"to": masked(arguments.to), "outcome": document["outcome"]})
        return Shown(document, *fields(document), failure=_refused(document, sender=arguments.sender))


def _listed(provider: Provider) -> dict[str, Any]:
    # Who may call an account's URL is believed: it is shown where it is asked for, not wherever providers are listed.
    document = provider_document(provider)
    del document["callback_url"]
    return document


def _shown(provider: Provider) -> Shown:
    document = provider_document(provider) | {
        "circuit": circuit_document(provider.slug, circuits.said([provider.slug])),
        "balance": balance_document(provider),
    }
    return Shown(document, *fields(document))


def _config(arguments: Namespace) -> dict[str, Any] | None:
    source: str | None = arguments.config
    if source is None:
        return None
    try:
        text = sys.stdin.read() if source == "-" else Path(source).read_text(encoding="utf-8")
        config = json.loads(text)
    except OSError as error:
        raise InvalidError({"config": f"{source} cannot be read: {error.strerror}"}) from error
    except ValueError:
        # The error's own words would show what it could not read, which may be a secret.
        raise InvalidError({"config": "it is not JSON in UTF-8"}) from None
    if not isinstance(config, dict):
        raise InvalidError({"config": "it is not a JSON object"})
    return config


def _add_settings(parser: ArgumentParser, config: str) -> None:
    absent = argparse.SUPPRESS
    parser.add_argument("--priority", type=int, default=absent, metavar="N", help="a higher one is tried first; default: 0")
    parser.add_argument("--weight", type=int, default=absent, metavar="N", help="the share among those of equal priority; default: 1")
    parser.add_argument("--throughput", type=or_none(float), default=absent, metavar="N", help="segments a second; default: no limit")
    parser.add_argument(
        "--low-balance",
        type=or_none(float),
        default=absent,
        metavar="N",
        help="below which balance, in the account's currency, you want to be told; default: never",
    )
    parser.add_argument(
        "--country", dest="countries", action="append", default=absent, metavar="+44", help="one that it serves; none named: all"
    )
    parser.add_argument("--deny-country", dest="denied", action="append", default=absent, metavar="+7", help="one that it does not serve")
    parser.add_argument("--config", metavar="FILE|-", help=config)


def _refused(trial: Mapping[str, Any], *, sender: str | None) -> str | None:
    """What there is to say of a trial that was not accepted."""
    if trial["outcome"] == Outcome.ACCEPTED:
        return None
    if sender is None and trial["error"] and trial["error"]["code"] == "sender.not_allowed":
        return "the provider has not accepted it: it wants a sender, name one by --sender"
    return "the provider has not accepted it"
