"""Clients, keys, providers and adapters as the documents that operators' commands show."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from django.utils.crypto import salted_hmac

from sms_backend.accounts.models import ApiKey, Client
from sms_backend.core.crypto import unseal
from sms_backend.messages.view import rfc3339
from sms_backend.routing.callback_urls import signed_account_url
from sms_backend.routing.circuits import Circuit
from sms_backend.routing.models import Provider, ProviderBalance
from sms_backend.routing.services import HIDDEN, shown_config, tells_balance
from sms_providers.registry import ADAPTERS, schema

_FORGOTTEN = {"updated_at": None, "callback_url": None}


def client_document(client: Client) -> dict[str, Any]:
    """A client and its limits."""
    return {
        "id": client.id,
        "name": client.name,
        "suspended": client.suspended,
        "time_zone": client.time_zone,
        "daily_quota": client.daily_quota,
        "rate": client.rate,
        "burst": client.burst,
        "default_sender": client.default_sender,
        "senders": client.senders,
        "countries": client.countries,
        "denied": client.denied,
        "on_unknown": client.on_unknown,
        "created_at": rfc3339(client.created_at),
    }


def key_document(key: ApiKey, now: datetime) -> dict[str, Any]:
    """A key, without anything that would let one use it."""
    state = "revoked" if key.revoked_at else "expired" if key.expires_at and key.expires_at <= now else "valid"
    return {
        "key_id": key.id,
        "client": key.client.name,
        "mode": key.mode,
        "state": state,
        "scopes": key.scopes,
        "networks": key.networks,
        "expires_at": rfc3339(key.expires_at),
        "revoked_at": rfc3339(key.revoked_at),
        "created_at": rfc3339(key.created_at),
    }


def provider_document(provider: Provider) -> dict[str, Any]:
    """A provider, its secrets hidden."""
    return {
        "slug": provider.slug,
        "adapter": provider.adapter,
        "active": provider.active,
        "priority": provider.priority,
        "weight": provider.weight,
        "throughput": provider.throughput,
        "low_balance": provider.low_balance,
        "countries": provider.countries,
        "denied": provider.denied,
        "config": shown_config(provider),
        "callback_url": signed_account_url(provider.slug, provider.callback_token),
        "created_at": rfc3339(provider.created_at),
        "updated_at": rfc3339(provider.updated_at),
    }


def kept_provider(provider: Provider) -> dict[str, Any]:
    """What of a provider the audit trail keeps: not the signed address; that a secret is another stands there all the same."""
    return {} if not provider.config else provider_document(provider) | _FORGOTTEN | {"secrets": secrets_mark(provider)}


def secrets_mark(provider: Provider) -> str:
    """Another one where any of a provider's secrets is another; says nothing about them."""
    hidden = [name for name, value in shown_config(provider).items() if value == HIDDEN]
    known = unseal(provider.config)
    told = json.dumps([[name, str(known[name])] for name in sorted(hidden)])
    return salted_hmac("sms_backend.console.secrets_mark", told, algorithm="sha256").hexdigest()[:12]


def circuit_document(slug: str, circuits: Mapping[str, Circuit] | None) -> dict[str, Any]:
    """Whether a provider is taken out for being ill; `unknown` while Redis does not answer."""
    circuit = (circuits or {}).get(slug)
    if circuit is None:
        return {"state": "unknown" if circuits is None else "closed", "reason": None, "opened_at": None, "probe_at": None}
    return {
        "state": "open",
        "reason": circuit.reason,
        "opened_at": rfc3339(_moment(circuit.opened_at)),
        "probe_at": rfc3339(_moment(circuit.probe_at)),
    }


def balance_document(provider: Provider) -> dict[str, Any] | None:
    """What is left in the account as the vendor last told it, and whether that is little; None where it cannot be asked."""
    if not tells_balance(provider.adapter):
        return None
    known = ProviderBalance.objects.filter(provider=provider).first()
    amount = None if known is None or known.amount is None else known.amount
    return {
        "amount": None if amount is None else f"{amount.normalize():f}",
        "currency": (known.currency or None) if known else None,
        "low": amount is not None and provider.low_balance is not None and amount < provider.low_balance,
        "told_at": rfc3339(known.told_at) if known else None,
        "asked_at": rfc3339(known.asked_at) if known else None,
        "error": (known.error or None) if known else None,
    }


def balance_words(balance: Mapping[str, Any] | None) -> str | None:
    """The same in a few words; None: nothing to say."""
    if balance is None:
        return None
    told = "not known yet" if balance["amount"] is None else " ".join(filter(None, (balance["amount"], balance["currency"])))
    return told + (", low" if balance["low"] else "") + (", last question failed" if balance["error"] else "")


def _moment(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)


def adapter_document(slug: str) -> dict[str, Any]:
    """What an adapter can do, and what it is to be configured with."""
    adapter = ADAPTERS[slug]
    capabilities = adapter.capabilities
    return {
        "name": slug,
        "title": adapter.title,
        "capabilities": {name: getattr(capabilities, name) for name in capabilities.__slots__},
        "schema": schema(slug),
    }
