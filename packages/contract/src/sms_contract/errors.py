"""
The catalogue of error codes: data, from which answers, OpenAPI and the documentation are made.

A code is a stable slug. `status` is the HTTP status where the API answers with it, None where it only appears as a message's `error.code`.
"""

import msgspec

#: Path, on the gateway, of the page made from this catalogue; the anchor is the code.
CATALOGUE_PATH = "/errors"


class ErrorEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of the catalogue."""

    code: str
    title: str
    action: str  #: what the reader should do
    status: int | None = None  #: HTTP status, None: only on messages
    retryable: bool = False  #: the same request may succeed later, unchanged

    def type(self, base_url: str) -> str:
        """The catalogue URL of this code (RFC 9457, `type`)."""
        return f"{base_url}{CATALOGUE_PATH}#{self.code}"


def _entry(code: str, status: int | None, title: str, action: str, *, retryable: bool = False) -> ErrorEntry:
    return ErrorEntry(code=code, status=status, title=title, action=action, retryable=retryable)


_ENTRIES = (
    _entry("request.invalid_json", 400, "The body is not JSON", "Send one JSON object, in UTF-8."),
    _entry(
        "idempotency.invalid_key",
        400,
        "The Idempotency-Key is malformed",
        "Send 1 to 255 visible ASCII characters, bare or as a quoted string.",
    ),
    _entry("auth.missing_key", 401, "No API key", "Send the header `API-Key: <key>`."),
    _entry("auth.invalid_key", 401, "The API key is not valid", "Check the key; it may be unknown, revoked or expired."),
    _entry("auth.scope", 403, "The key lacks a scope", "Use a key that has the scope named in `detail`."),
    _entry("auth.network", 403, "The key is not allowed from this address", "Call from one of the key's networks."),
    _entry("client.suspended", 403, "The client is suspended", "Ask the operator of this gateway."),
    _entry("message.not_found", 404, "No such message", "Check the tracking id; older messages are in the history."),
    _entry("route.not_found", 404, "No such path", "See /docs for the paths that there are."),
    _entry("request.method_not_allowed", 405, "This path does not take that method", "See the `Allow` header."),
    _entry(
        "idempotency.in_progress",
        409,
        "The first request with this key is still running",
        "Repeat it after `Retry-After`.",
        retryable=True,
    ),
    _entry("provider.disabled", 409, "Each of the listed providers is off", "Name another provider, or none."),
    _entry("message.final", 409, "The message is final", "Nothing is left to be done with it."),
    _entry("request.too_large", 413, "The request is too large", "Keep a message below 64 KiB and a batch below 1 MiB."),
    _entry(
        "request.unsupported_media_type",
        415,
        "The body is of another media type",
        "Send `Content-Type: application/json`.",
    ),
    _entry("request.invalid", 422, "The request is not valid", "Mend what `errors` lists."),
    _entry(
        "recipient.invalid_number",
        422,
        "Not a possible telephone number",
        "Send E.164: `+`, calling code, number, with a length that the calling code allows.",
    ),
    _entry(
        "recipient.country_blocked",
        422,
        "The client may not send to this country",
        "Ask the operator to allow the country.",
    ),
    _entry(
        "sender.invalid",
        422,
        "Not a possible sender, or not one of the client's",
        "Send E.164, a short code of 3 to 8 digits, or up to 11 GSM characters with a letter; where there is a list, one of it.",
    ),
    _entry("provider.unknown", 422, "No such provider", "Name providers as `GET /v1/account` lists them."),
    _entry("content.too_long", 422, "The text needs too many segments", "Shorten it, or raise `max_segments`."),
    _entry(
        "content.not_encodable",
        422,
        "The text does not fit GSM-7",
        "Use `encoding: auto` or `transliterate`, or remove the characters that `detail` names.",
    ),
    _entry(
        "idempotency.key_reused",
        422,
        "The Idempotency-Key was used for another request",
        "Use a new key for a new request.",
    ),
    _entry("rate.limited", 429, "Too many messages a second", "Slow down; see `Retry-After`.", retryable=True),
    _entry("quota.exceeded", 429, "The daily quota is used up", "Wait for the reset; see `Retry-After`.", retryable=True),
    _entry(
        "auth.throttled",
        429,
        "Too many failed authentications from this address",
        "Mend the key, then wait a minute.",
        retryable=True,
    ),
    _entry("internal", 500, "Something went wrong here", "Repeat it with an Idempotency-Key; report the request id.", retryable=True),
    _entry("broker.unavailable", 503, "The queue takes nothing now", "Repeat it after `Retry-After`.", retryable=True),
    _entry(
        "broker.unconfirmed",
        503,
        "It is not known whether the message was queued",
        "Repeat it with the same Idempotency-Key: at most one message results.",
        retryable=True,
    ),
    _entry("cache.unavailable", 503, "The read model is not available", "Repeat it after `Retry-After`.", retryable=True),
    _entry("overloaded", 503, "Too much is under way", "Repeat it after `Retry-After`.", retryable=True),
    _entry("route.none_available", 503, "No provider is active", "Repeat it later, or ask the operator.", retryable=True),
    _entry("recipient.opted_out", None, "The recipient has opted out", "Do not send to this number again."),
    _entry("recipient.unreachable", None, "The handset could not be reached", "Try again later.", retryable=True),
    _entry("recipient.blocked", None, "The recipient's network or handset blocks it", "Use another channel."),
    _entry("sender.not_allowed", None, "The sender is not allowed there", "Use a sender registered for that country."),
    _entry("content.blocked", None, "The text was blocked", "Change the text."),
    _entry("provider.throttled", None, "Providers were too busy until the end", "Send it again later.", retryable=True),
    _entry("provider.unavailable", None, "No provider could be reached in time", "Send it again later.", retryable=True),
    _entry("provider.misconfigured", None, "No provider would take it from this account", "Ask the operator."),
    _entry(
        "provider.unknown_outcome",
        None,
        "A provider gave no clear answer",
        "It may have arrived; send it again only if a second copy does no harm.",
    ),
    _entry("validity.expired", None, "The validity ran out before it could be delivered", "Send it again if it still matters."),
)

#: What a message's `error.code` may be, after acceptance.
MESSAGE_CODES = frozenset(
    {
        "recipient.opted_out",
        "recipient.invalid_number",
        "recipient.unreachable",
        "recipient.blocked",
        "sender.not_allowed",
        "content.blocked",
        "provider.throttled",
        "provider.unavailable",
        "provider.misconfigured",
        "provider.unknown_outcome",
        "route.none_available",
        "validity.expired",
        "idempotency.key_reused",
    }
)

CATALOGUE: dict[str, ErrorEntry] = {entry.code: entry for entry in _ENTRIES}
