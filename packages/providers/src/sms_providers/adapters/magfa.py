"""Magfa's HTTP API v2, by its manual (https://messaging.magfa.com/ui/?public/wiki/api/http_v2) as of 2026-08."""

import base64
from collections.abc import Sequence
from typing import Annotated, ClassVar

from pydantic import Field, SecretStr

from sms_providers import dlr
from sms_providers.base import HttpProvider, json_body
from sms_providers.config import BaseUrl, HttpConfig
from sms_providers.errors import MISCONFIGURED, Fault, UnknownOutcomeError, refused, unavailable, unsuitable
from sms_providers.reading import mappings, moment, whole, word
from sms_providers.references import whole_number
from sms_providers.types import Accepted, Balance, Capabilities, Exchange, HttpAnswer, HttpRequest, OutboundSms, Receipt, Reports

_MALFORMED = unsuitable("route.none_available", remembered=False)
_SILENT = frozenset({-1, 0})  #: unknown or older than a day; nothing known yet
_TEHRAN = "+03:30"

Name = Annotated[str, Field(pattern=r"^[^/:\s]{1,64}$")]


class MagfaConfig(HttpConfig):
    """An account: user and domain are one name to Magfa."""

    username: Name
    domain: Name = Field(description="As assigned by Magfa, usually `magfa`")
    password: SecretStr = Field(min_length=1)
    sender: Annotated[str, Field(pattern=r"^[0-9+]{3,20}$")] = Field(description="The line that sends where a message names none")
    base_url: BaseUrl = "https://sms.magfa.com"


class MagfaProvider(HttpProvider[MagfaConfig]):
    """One POST a message; reports are asked for within a day; after a time-out the message is found by our uid."""

    slug = "magfa"
    title = "Magfa"
    Config = MagfaConfig
    capabilities = Capabilities(reports=Reports.POLLED, reports_per_poll=100, client_reference=True, look_up=True, balance=True)

    #: `status`, of the whole answer or of one message.
    faults: ClassVar[dict[str, Fault]] = {
        "1": refused("recipient.invalid_number"),
        "2": unsuitable(),  # not a sender
        "8": unavailable(throttled=True),  # promotional messages go out between 7 and 22 o'clock only
        "13": refused("content.blocked"),  # nothing in it
        "14": MISCONFIGURED,  # no credit
        "15": unavailable(),
        "16": MISCONFIGURED,  # account not active
        "17": MISCONFIGURED,  # account expired
        "18": MISCONFIGURED,  # user or password
        "19": MISCONFIGURED,  # user, password and domain together
        "20": unsuitable(),  # not a sender of this account
        "22": MISCONFIGURED,  # service not enabled
        "23": unavailable(),
        "27": unsuitable("recipient.blocked", remembered=False),  # the carrier's list of those who want no advertisements
        "28": unsuitable("route.none_available", remembered=False),  # prefix
        "29": MISCONFIGURED,  # not from this address
        "30": refused("content.blocked"),
        "33": refused("recipient.opted_out", opted_out=True),
        "34": unsuitable(),  # the sender's owner is not verified
        "35": refused("content.blocked"),  # characters
        **dict.fromkeys(("3", "4", "6", "24", "25", "31"), _MALFORMED),
        **dict.fromkeys(map(str, range(101, 111)), _MALFORMED),
    }

    def __init__(self, config: MagfaConfig, *, account: str | None = None) -> None:
        super().__init__(config, account=account)
        self._url = f"{config.base_url}/api/http/sms/v2"
        pair = f"{config.username}/{config.domain}:{config.password.get_secret_value()}"
        self._headers = {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}", "Accept": "application/json"}

    def request_for(self, sms: OutboundSms) -> HttpRequest:
        body = {
            "senders": [(sms.sender or self.config.sender).removeprefix("+")],
            "messages": [sms.text],
            "recipients": [sms.to.removeprefix("+")],
            "uids": [whole_number(sms.reference)],
        }
        headers = self._headers | {"Content-Type": "application/json"}
        return HttpRequest(method="POST", url=f"{self._url}/send", headers=headers, body=json_body(body))

    def error_of(self, answer: HttpAnswer) -> tuple[str, str] | None:
        status = whole((answer.json_object() or {}).get("status"))
        return None if not status else (str(status), "")

    def accepted(self, answer: HttpAnswer) -> Accepted | None:
        messages = mappings(self._sound(answer).get("messages"))
        if len(messages) != 1:
            return None
        message, status = messages[0], whole(messages[0].get("status"))
        if status:
            raise self.refuse(answer, str(status))
        message_id = word(message.get("id"))
        if status is None or message_id is None:
            return None
        return Accepted(message_id=message_id, provider_status="0", segments=whole(message.get("parts")))

    async def look_up(self, reference: str, exchange: Exchange) -> Accepted | None:
        url = f"{self._url}/mid/{whole_number(reference)}"
        mid = whole(self._sound(await exchange(HttpRequest(method="GET", url=url, headers=self._headers))).get("mid"))
        if mid is None:
            raise UnknownOutcomeError("an answer without `mid`")
        return None if mid == -1 else Accepted(message_id=str(mid))

    async def poll(self, message_ids: Sequence[str], exchange: Exchange) -> list[Receipt]:
        url = f"{self._url}/statuses/{','.join(message_ids)}"
        dlrs = mappings(self._sound(await exchange(HttpRequest(method="GET", url=url, headers=self._headers))).get("dlrs"))
        return [
            dlr.receipt(str(status), message_id=word(each.get("mid")), occurred_at=moment(f"{each.get('date')}{_TEHRAN}"))
            for each in dlrs
            if (status := whole(each.get("status"))) is not None and status not in _SILENT
        ]

    async def balance(self, exchange: Exchange) -> Balance:
        """In a unit that the manual does not name."""
        content = self._sound(await exchange(HttpRequest(method="GET", url=f"{self._url}/balance", headers=self._headers)))
        return self.left(content, "balance", currency=None)

    def _sound(self, answer: HttpAnswer) -> dict[str, object]:
        """An answer whose own status is good."""
        content = self.content(answer)
        status = whole(content.get("status"))
        if status is None:
            raise UnknownOutcomeError(f"HTTP {answer.status} without a status")
        if status:
            raise self.refuse(answer, str(status))
        return content
