"""What a client may ask for: one schema that validates requests and documents them."""

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from sms_contract.segments import Segments

#: Bytes of one message's request.
MAX_MESSAGE = 64 * 1024

#: For the document: what a pattern says costs more to check than `validation.further` does.
NO_NUL = {"pattern": r"^[^\u0000]*$"}
Text = Annotated[str, Meta(min_length=1, extra_json_schema=NO_NUL)]


class SendMessage(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """One message to one recipient."""

    to: Annotated[
        str,
        Meta(
            min_length=1,
            description="E.164: `+` and 7 to 15 digits, a possible length for its calling code.",
            examples=["+447911123456"],
            extra_json_schema={"pattern": r"^\+[0-9]{7,15}$"},
        ),
    ]
    text: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=1600,
            description="The text; at most `max_segments` segments, no NUL.",
            examples=["Your code is 123456"],
            extra_json_schema=NO_NUL,
        ),
    ]
    sender: (
        Annotated[
            Text,
            Meta(
                description="E.164, a short code of 3 to 8 digits, or at most 11 GSM characters with at least one letter. "
                "Default: the client's, then the provider's. Where the client has a list of allowed senders, one of them.",
                examples=["ACME"],
            ),
        ]
        | UnsetType
    ) = msgspec.field(name="from", default=UNSET)
    providers: (
        Annotated[
            list[Text],
            Meta(max_length=50, description="Used exclusively and in that order. None: smart selection.", examples=[["alpha", "beta"]]),
        ]
        | UnsetType
    ) = UNSET
    reference: (
        Annotated[
            str,
            Meta(
                min_length=1,
                max_length=128,
                description="Your own id: searchable, echoed everywhere.",
                examples=["order-17"],
                extra_json_schema=NO_NUL,
            ),
        ]
        | UnsetType
    ) = UNSET
    callback_url: (
        Annotated[
            str,
            Meta(
                min_length=1,
                max_length=2048,
                description="Status webhooks for this message go here instead of to the client's endpoints. "
                "https; plain http only with a test key.",
                examples=["https://example.com/sms/status"],
                extra_json_schema={"format": "uri", "pattern": r"^https?://\S+$"},
            ),
        ]
        | UnsetType
    ) = UNSET
    validity_period: (
        Annotated[
            int,
            Meta(
                ge=30,
                le=259200,
                description="Seconds from acceptance, or from `send_at`, after which it is never sent. Default: 86400, for `otp` 300.",
                examples=[3600],
            ),
        ]
        | UnsetType
    ) = UNSET
    send_at: (
        Annotated[
            str,
            Meta(
                min_length=1,
                description="When to send it: RFC 3339, at most 30 days ahead.",
                extra_json_schema={"format": "date-time"},
            ),
        ]
        | UnsetType
    ) = UNSET
    encoding: (
        Annotated[
            Literal["auto", "gsm7", "ucs2", "transliterate"],
            Meta(
                description="`gsm7` refuses what does not fit it; `transliterate` replaces what has an equivalent there.", examples=["auto"]
            ),
        ]
        | UnsetType
    ) = UNSET
    max_segments: Annotated[int, Meta(ge=1, le=10, description="More are refused. Default: 10.", examples=[3])] | UnsetType = UNSET
    traffic_type: (
        Annotated[
            Literal["otp", "transactional", "promotional"],
            Meta(description="`otp` overtakes, `promotional` waits for both. Default: `transactional`.", examples=["transactional"]),
        ]
        | UnsetType
    ) = UNSET
    on_unknown: (
        Annotated[
            Literal["resend", "hold"],
            Meta(description="What to do when a provider never answered. Default: the client's setting.", examples=["resend"]),
        ]
        | UnsetType
    ) = UNSET
    failover_on: (
        Annotated[
            list[Literal["undelivered"]],
            Meta(
                max_length=1,
                description="`undelivered`: such a report starts the next provider, which has not had it, under the same tracking id, "
                "at most three times and within its validity; the message stays open meanwhile. Default: none.",
                examples=[["undelivered"]],
            ),
        ]
        | UnsetType
    ) = UNSET
    metadata: (
        Annotated[dict[Text, str], Meta(max_length=10, description="At most 10 keys and 1 KiB in all.", examples=[{"campaign": "spring"}])]
        | UnsetType
    ) = UNSET
    dry_run: Annotated[bool, Meta(description="Check everything, charge nothing, send nothing.", examples=[False])] | UnsetType = UNSET


class DryRun(msgspec.Struct, kw_only=True):
    """What would become of a message."""

    to: str
    sender: str | None = msgspec.field(name="from")
    segments: Segments
    providers: list[str]  #: those that would be tried, in order


class AccountClient(msgspec.Struct, kw_only=True):
    """Whose account it is."""

    id: str
    name: str


class AccountKey(msgspec.Struct, kw_only=True):
    """The key that asked."""

    id: str
    mode: Literal["live", "test"]
    scopes: list[str]
    expires_at: str | None


class Quota(msgspec.Struct, kw_only=True):
    """The daily quota, in segments; null: unlimited."""

    daily_limit: int | None
    used: int
    remaining: int | None
    resets_at: str


class RateLimit(msgspec.Struct, kw_only=True):
    """The token bucket, in messages; null: unlimited."""

    per_second: float | None
    burst: int | None


class Account(msgspec.Struct, kw_only=True):
    """The client, its key and its limits."""

    client: AccountClient
    key: AccountKey
    quota: Quota
    rate_limit: RateLimit
    providers: list[str]
