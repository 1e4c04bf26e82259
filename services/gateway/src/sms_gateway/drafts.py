"""
From a request to a draft: all that is decided about a message before admission, in the order that the API promises.

Some checks depend on what is true now and may not have been when the same request was made first: a `send_at` that has passed since, a
provider that was switched off. Their refusal is kept with the draft, because only admission knows whether the request was admitted before.
"""

import hashlib

import msgspec
from msgspec import UNSET

from sms_contract import phone
from sms_contract.ids import uuid7
from sms_contract.keyspace import idempotency_digest
from sms_gateway.content import Content, settle
from sms_gateway.directory import Principal, Providers
from sms_gateway.entropy import entropy
from sms_gateway.json_body import refuse_repeated
from sms_gateway.problems import Mistake, Problem
from sms_gateway.schema import SendMessage
from sms_gateway.validation import MAX_AHEAD_MS, moment_ms

VALIDITY = 86_400
VALIDITY_OTP = 300

_canonical = msgspec.json.Encoder(order="deterministic").encode
_PATH = b"POST /v1/messages "


class Draft(msgspec.Struct, kw_only=True):
    """A message that has passed every check but admission."""

    principal: Principal
    request: SendMessage
    content: Content
    tracking_id: str
    created_ms: int
    sender: str | None
    providers: list[str]  #: as asked for, each once
    route: list[str]  #: what would be tried
    traffic_type: str
    send_at: int | None
    expires_at: int
    fingerprint: str
    idempotency: str | None
    dry_run: bool
    refusal: Problem | None  #: stands unless this very request was admitted before
    no_route: Problem | None  #: stands if admission finds nothing else
    traceparent: str | None = None


def draft(
    request: SendMessage, principal: Principal, providers: Providers, *, body: bytes, idempotency_key: str | None, now_ms: int
) -> Draft:
    """Check a request that is formally right, and that `body` was read as. Raises `Problem`, the first in the promised order."""
    written = _canonical(request)
    refuse_repeated(body, written)
    idempotency = None
    if idempotency_key is not None and request.dry_run is not True:
        idempotency = idempotency_digest(principal.mode, idempotency_key)
    fingerprint = hashlib.sha256(_PATH + written).hexdigest()
    return checked(request, principal, providers, fingerprint=fingerprint, idempotency=idempotency, now_ms=now_ms)


def checked(
    request: SendMessage, principal: Principal, providers: Providers, *, fingerprint: str, idempotency: str | None, now_ms: int
) -> Draft:
    """The same, where the request is a part of another, whose fingerprint and key are its own. Raises `Problem`."""
    passing: list[Problem] = []
    try:
        made = _draft(request, principal, providers, fingerprint=fingerprint, idempotency=idempotency, now_ms=now_ms, passing=passing)
    except Problem as lasting:
        # What is always refused was never admitted, so there is nothing to wait for.
        raise (passing or [lasting])[0] from None
    if passing and made.idempotency is None:
        raise passing[0]
    return made


def _draft(
    request: SendMessage,
    principal: Principal,
    providers: Providers,
    *,
    fingerprint: str,
    idempotency: str | None,
    now_ms: int,
    passing: list[Problem],
) -> Draft:
    client = principal.client
    test = principal.mode == "test"
    asked = request.traffic_type
    traffic_type = "transactional" if asked is UNSET else asked
    send_at = _send_at(request, now_ms, passing)
    url = request.callback_url
    if url is not UNSET and not test and not url.lower().startswith("https:"):
        raise Problem("request.invalid", errors=[Mistake("/callback_url", "url", "Plain http is for test keys only.")])

    if not phone.is_possible(request.to):
        raise Problem("recipient.invalid_number")
    if (client.countries or client.denied) and not phone.is_allowed(request.to, client.countries, client.denied):
        passing.append(Problem("recipient.country_blocked"))

    sender = client.default_sender
    if request.sender is not UNSET:
        sender = request.sender
        if not phone.is_sender(sender):
            raise Problem("sender.invalid")
        if client.senders and sender not in client.senders:
            passing.append(Problem("sender.invalid", "This sender is not one of the client's."))

    named = [] if request.providers is UNSET else list(dict.fromkeys(request.providers))
    route, missing = _route(named, providers, request.to, test=test)
    if named and missing:
        passing.append(missing)

    content = settle(
        request.text,
        "auto" if request.encoding is UNSET else request.encoding,
        10 if request.max_segments is UNSET else request.max_segments,
    )
    dry_run = request.dry_run is True
    validity = request.validity_period
    if validity is UNSET:
        validity = VALIDITY_OTP if traffic_type == "otp" else VALIDITY
    return Draft(
        principal=principal,
        request=request,
        content=content,
        tracking_id=uuid7(now_ms, entropy),
        created_ms=now_ms,
        sender=sender,
        providers=named,
        route=route,
        traffic_type=traffic_type,
        send_at=send_at,
        expires_at=(send_at or now_ms) + validity * 1000,
        fingerprint=fingerprint,
        idempotency=idempotency,
        dry_run=dry_run,
        refusal=passing[0] if passing else None,
        no_route=None if named else missing,
    )


def _send_at(request: SendMessage, now_ms: int, passing: list[Problem]) -> int | None:
    if request.send_at is UNSET:
        return None
    send_at = moment_ms(request.send_at)
    if send_at is None:
        raise Problem("request.invalid", errors=[Mistake("/send_at", "time", "This is not an RFC 3339 time with an offset.")])
    if send_at > now_ms + MAX_AHEAD_MS:
        raise Problem("request.invalid", errors=[Mistake("/send_at", "range", "This is more than 30 days ahead.")])
    if send_at < now_ms:
        passing.append(Problem("request.invalid", errors=[Mistake("/send_at", "range", "This is past.")]))
    return send_at


def _route(named: list[str], providers: Providers, to: str, *, test: bool) -> tuple[list[str], Problem | None]:
    """What would be tried, and what is wrong with it. The `test` provider serves test mode, all of it and nothing else."""
    for slug in named:
        known = providers.by_slug.get(slug)
        if known is None or (known.test and not test):
            return [], Problem("provider.unknown", f"There is no provider `{slug[:64]}`.")
    if named and not any(providers.by_slug[slug].active for slug in named):
        return [], Problem("provider.disabled")
    if test:
        route = [provider.slug for provider in providers.listed if provider.test and provider.active]
        return route, None if route else Problem("route.none_available")
    if named:
        return [slug for slug in named if providers.by_slug[slug].active], None
    if not providers.live:
        return [], Problem("route.none_available")
    if providers.everywhere is not None:
        return list(providers.everywhere), None
    return [provider.slug for provider in providers.live if phone.is_allowed(to, provider.countries, provider.denied)], None
