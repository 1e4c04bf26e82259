"""
Redis: every key that the two servers share, and the shape of every value.

All keys of one client carry the hash tag `{client}`, so that a script touches one slot only. Values are strings; `|` separates fields,
and the last field may contain anything. Server B writes clients, API keys, providers, statuses and the marker; Server A writes
reservations, idempotency keys, counters, buckets and failures.
"""

import hashlib
import hmac
from typing import Final

import msgspec

#: Hash, written by Server B when Redis is right again. Fields `admit` and `statuses`: the `run_id` of the Redis that they speak of.
MARKER: Final = "sms:marker"
#: String: JSON list of `ProviderRecord`.
PROVIDERS: Final = "sms:providers"

#: How long an idempotency key is kept (API, section 4), in seconds.
IDEMPOTENCY_TTL: Final = 24 * 3600
#: How long a status answers after its last change, once final, and a reservation at all, in seconds.
FINAL_TTL: Final = 72 * 3600
#: How long a day's counter is kept: as long as a refund to that day may come.
QUOTA_TTL: Final = 40 * 24 * 3600
#: How long a hash under the newest pepper waits for Server B, in seconds.
REHASHED_TTL: Final = 7 * 24 * 3600
#: After this many seconds Server B looks into a reservation that is still pending.
PENDING_GRACE: Final = 15 * 60
#: What the answer in a batch's reservation begins with, and no other does.
BATCH_ANSWER: Final = b'{"batch_id":"'


def api_key(key_id: str) -> str:
    """String: JSON `KeyRecord`."""
    return f"sms:key:{key_id}"


def rehashed(key_id: str, mark: str) -> str:
    """String: hex HMAC of a key's secret under the pepper of a `pepper_mark`, from whoever has seen it used under an older one."""
    return f"sms:rehash:{mark}:{key_id}"


def pepper_mark(pepper: bytes) -> str:
    """Tells peppers apart, and says nothing about them."""
    return hmac.digest(pepper, b"mark", "sha256").hex()[:8]


def client_prefix(client_id: str) -> str:
    """What every key of one client starts with."""
    return f"sms:{{{client_id}}}:"


def client(client_id: str) -> str:
    """String: JSON `ClientRecord`. Written last when Redis is rebuilt: a script that does not find it admits nothing."""
    return f"sms:{{{client_id}}}:client"


def reservation(client_id: str, tracking_id: str) -> str:
    """
    String `<state>|<owner>|<deadline ms>|<segments>|<day>|<idempotency digest>|<fingerprint>|<taken over>|<answer>`.

    `state` is `p` (pending) or `d` (done), one byte, so that it can be flipped in place. `segments` were charged to `day` (0: none);
    `taken over` is 1 once a second owner published it: it is never released then. `answer` is JSON: *the message* as `accepted`
    (the 202 is a part of it), or the whole answer to a batch.

    A batch has one reservation, under its batch id: it alone is pending or done, carries the charge of all, and is kept as long as
    something of it may be canceled, so that the batch is known; Server B writes it again, with nothing in the answer but the id, where it
    is lost. Each of its messages has a record of the same form without a life of its own: state `b`, owner the batch
    id, nothing charged, no digest. It counts while the batch's reservation does, is deleted with it if that is released, and on its own
    once the message is projected.
    """
    return f"sms:{{{client_id}}}:r:{tracking_id}"


def status(client_id: str, tracking_id: str) -> str:
    """String `<version>|<1 if final else 0>|<JSON of the message>`."""
    return f"sms:{{{client_id}}}:m:{tracking_id}"


def idempotency(client_id: str, digest: str) -> str:
    """String: the tracking id (or batch id) that an idempotency key stands for."""
    return f"sms:{{{client_id}}}:i:{digest}"


def idempotency_digest(mode: str, key: str) -> str:
    """The digest by which an idempotency key is stored: scoped by mode, free of separators, never the key itself."""
    return hashlib.sha256(f"{mode}:{key}".encode()).hexdigest()[:32]


def quota(client_id: str, day: str) -> str:
    """Integer: segments charged on a day (`YYYYMMDD`) of the client's time zone."""
    return f"sms:{{{client_id}}}:q:{day}"


def bucket(client_id: str) -> str:
    """Number: the theoretical arrival time of the rate limiter (GCRA), in microseconds of Redis `TIME`."""
    return f"sms:{{{client_id}}}:b"


def pending(client_id: str) -> str:
    """Sorted set: ids of pending reservations by the millisecond of reservation."""
    return f"sms:{{{client_id}}}:p"


def failures(address: str) -> str:
    """List of moments (ms): failed authentications from one address, newest first; gone a minute after the last."""
    return f"sms:failures:{address}"


def refunded(client_id: str, tracking_id: str) -> str:
    """Flag that makes a refund take effect once."""
    return f"sms:{{{client_id}}}:f:{tracking_id}"


class KeyRecord(msgspec.Struct, frozen=True, kw_only=True):
    """An API key as the gateway knows it."""

    hash: str  #: hex HMAC-SHA256 of the secret under the pepper
    client: str
    mode: str
    scopes: list[str]
    expires_at: int | None = None  #: seconds since 1970
    networks: list[str] = []  #: CIDR; none: from anywhere


class ClientRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A client as the gateway knows it."""

    id: str
    name: str
    suspended: bool = False
    time_zone: str = "UTC"
    daily_limit: int | None = None  #: segments a day
    rate: float | None = None  #: messages a second
    burst: int | None = None
    default_sender: str | None = None
    senders: list[str] = []  #: allowed ones; none: all
    countries: list[str] = []  #: allowed ones, ISO regions or `+` prefixes; none: all
    denied: list[str] = []  #: the same; none of these, whatever `countries` says
    on_unknown: str = "resend"


class ProviderRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A provider as the gateway knows it, in the order in which smart selection would try them."""

    slug: str
    active: bool
    priority: int = 0
    weight: int = 1
    countries: list[str] = []  #: `+` prefixes or ISO regions; none: all
    denied: list[str] = []  #: the same; none of these, whatever `countries` says
    test: bool = False  #: the built-in provider of test mode, never listed to clients
    callback_hash: str = ""  #: hex SHA-256 of the token in its callback URL
