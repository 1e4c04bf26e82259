"""A vendor's HTTP API, described: the configuration of the `generic` adapter, and what makes it sound before a message waits for it."""

import re
from typing import Annotated, Final, Literal, Self

import msgspec
from pydantic import AfterValidator, Field, JsonValue, SecretStr, model_validator

from sms_providers import templates
from sms_providers.config import BaseUrl, HttpConfig
from sms_providers.errors import MISCONFIGURED, Fault, refused, unavailable, unsuitable

#: Stands only where nobody outside chooses it: not in a path, not in a header.
_FREE: Final = frozenset({"text", "sender", "callback_url"})
_NUMBERS: Final = frozenset({"attempt", "segments", "validity", "validity_minutes"})
_SECRETS: Final = frozenset({"username", "password", "token"})
_WORDS: Final = frozenset({"to", "to_digits", "reference", "tracking_id", "encoding", "traffic_type"})
_NAMES: Final = _FREE | _NUMBERS | _SECRETS | _WORDS
_LISTS: Final[dict[str, Fault]] = {
    "refused_codes": refused("content.blocked"),
    "invalid_number_codes": refused("recipient.invalid_number"),
    "opted_out_codes": refused("recipient.opted_out", opted_out=True),
    "unsuitable_codes": unsuitable(),
    "misconfigured_codes": MISCONFIGURED,
    "unavailable_codes": unavailable(),
    "throttled_codes": unavailable(throttled=True),
}
_HEADER = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([ -~]*)")
_OURS: Final = frozenset({"host", "content-length", "transfer-encoding", "connection", "authorization", "content-type"})
_HTTP_STATUS = re.compile(r"http:(4\d\d|503)")


def _pointer(value: str) -> str:
    if value and not templates.is_pointer(value):
        raise ValueError("must be a JSON pointer, such as /messages/0/id")
    return value


def _path(value: str) -> str:
    if not value.startswith("/") or not value.isascii() or not value.isprintable() or set(value) & set(' #\\"<>'):
        raise ValueError("must begin with / and hold neither blanks nor #")
    if templates.names(value.partition("?")[0]) & _FREE:
        raise ValueError("text, sender and callback_url may stand in the query only")
    return value


def revealed(secret: SecretStr | None) -> str:
    """What a secret says; nothing where there is none."""
    return "" if secret is None else secret.get_secret_value()


def split(value: str) -> frozenset[str]:
    """The items of a list that is written with commas."""
    return frozenset(filter(None, (item.strip() for item in value.split(","))))


Pointer = Annotated[str, AfterValidator(_pointer), Field(max_length=200)]
Codes = Annotated[str, Field(max_length=2000)]
_MULTILINE: dict[str, JsonValue] = {"format": "multiline"}


class GenericConfig(HttpConfig):
    """One request that hands a message over, what its answers mean, and what reports mean."""

    base_url: BaseUrl = Field(description="https://api.vendor.example, with as much of the path as never changes")
    method: Literal["POST", "PUT", "GET"] = "POST"
    path: Annotated[str, AfterValidator(_path)] = Field(max_length=2000, description="/v1/messages?to={to_digits}")
    authentication: Literal["none", "basic", "bearer"] = Field(default="none", description="basic: username and password; bearer: token")
    username: str = ""
    password: SecretStr | None = None
    token: SecretStr | None = None
    headers: str = Field(default="", max_length=4000, description="A `Name: value` on each line", json_schema_extra=_MULTILINE)
    body_format: Literal["json", "form", "none"] = "json"
    body: str = Field(
        default="",
        max_length=10000,
        description='{"to": "{to}", "text": "{text}", "ttl": {validity}}, or to={to}&text={text}',
        json_schema_extra=_MULTILINE,
    )
    default_sender: str = Field(default="", description="Sends where a message names no sender")
    deduplicates: bool = Field(default=False, description="The vendor takes the same {reference} once only: sending again is harmless")
    message_id: Pointer = Field(default="", description="Where a yes has the vendor's id: /messages/0/id; nowhere: ours is used")
    code: Pointer = Field(default="", description="Where an answer has its status or error code: /error/code")
    accepted_codes: Codes = Field(default="", description="Codes that mean yes, separated by commas; none: any 2xx with an id is one")
    refused_codes: Codes = Field(default="", description="The message itself is bad. Codes, or HTTP statuses: 17, http:422")
    invalid_number_codes: Codes = ""
    opted_out_codes: Codes = ""
    unsuitable_codes: Codes = Field(default="", description="Not from this sender, or not to there; another provider may")
    misconfigured_codes: Codes = Field(default="", description="Wrong key, no balance: stops this provider")
    unavailable_codes: Codes = Field(default="", description="Known to mean: not taken, now. An http:503 is so by itself")
    throttled_codes: Codes = Field(default="", description="The same, because of too many")
    report_status: Pointer = Field(default="", description="Where a report to {callback_url} has its status: in JSON, form or query")
    report_id: Pointer = Field(default="", description="Where it has the vendor's id")
    report_code: Pointer = Field(default="", description="Where it has an error code")
    delivered_words: Codes = "delivered"
    sent_words: Codes = Field(default="sent", description="On its way: queued, sent, buffered")
    undelivered_words: Codes = "undelivered,failed,rejected"
    expired_words: Codes = "expired"

    @model_validator(mode="after")
    def _is_sound(self) -> Self:
        unknown = templates.names(self.path + self.headers + self.body) - _NAMES
        if unknown:
            raise ValueError(f"no such placeholder: {', '.join(sorted(unknown))}; there are {', '.join(sorted(_NAMES))}")
        if (self.body_format == "none") is not (self.body == ""):
            raise ValueError("body and body_format go together")
        if self.body_format == "json" and not _is_json(self.body):
            raise ValueError("body: no JSON, or a placeholder that holds text stands outside of quotes")
        if not self.message_id and not self.accepted_codes:
            raise ValueError("without message_id, code and accepted_codes have to say what a yes is")
        if self.accepted_codes and not self.code:
            raise ValueError("accepted_codes need code, which says where they stand")
        if self.deduplicates and "reference" not in self.used:
            raise ValueError("deduplicates needs {reference} in the request")
        self.faults()
        return self

    @model_validator(mode="after")
    def _has_sound_headers(self) -> Self:
        for line in filter(str.strip, self.headers.splitlines()):
            found = _HEADER.fullmatch(line.strip())
            if found is None or found[1].lower() in _OURS:
                raise ValueError("headers: each line is `Name: value`, and some names are not free")
        if templates.names(self.headers) & (_FREE | {"to"}):
            raise ValueError("headers: a message's number, text and sender have no place there")
        if self.authentication == "bearer":
            templates.for_header(revealed(self.token))
        return self

    @property
    def used(self) -> set[str]:
        """The placeholders of the whole request."""
        return templates.names(self.path + self.headers + self.body)

    def faults(self) -> dict[str, Fault]:
        """The lists as one table. Raises `ValueError` for a code that is in two, and for an HTTP status that cannot mean what is said."""
        table: dict[str, Fault] = {}
        for name, fault in _LISTS.items():
            for code in split(getattr(self, name)):
                if code in table or code in split(self.accepted_codes):
                    raise ValueError(f"{name}: {code} means something else already")
                if code.startswith("http:") and not _HTTP_STATUS.fullmatch(code):
                    raise ValueError(f"{name}: only http:400 to http:499, and http:503, can mean that nothing was taken")
                if code == "http:503" and name != "unavailable_codes":
                    raise ValueError(f"{name}: http:503 can only be unavailable")
                table[code] = fault
        return table


def _is_json(template: str) -> bool:
    """Whether it is JSON whatever its values are: what holds text has to stand between quotes."""
    values = {name: "1" if name in _NUMBERS else templates.HOSTILE for name in _NAMES}
    try:
        msgspec.json.decode(templates.fill(template, values, templates.for_json))
    except msgspec.DecodeError:
        return False
    return True
