"""Kannel's `sendsms`, by its user guide and smsbox 1.4.5: a gateway of one's own in front of SMPP and other connections."""

import re
from dataclasses import replace
from typing import ClassVar, Final
from urllib.parse import quote, urlencode

from pydantic import Field, SecretStr

from sms_contract.segments import Encoding
from sms_providers import dlr
from sms_providers.base import HttpProvider
from sms_providers.config import BaseUrl, HttpConfig
from sms_providers.errors import MISCONFIGURED, Fault, refused, unavailable, unsuitable
from sms_providers.types import Accepted, Callback, Capabilities, Exchange, HttpAnswer, HttpRequest, Inbound, OutboundSms, Receipt

#: delivered, not delivered, buffered, at the carrier, refused by the carrier
_ALL_REPORTS: Final = "31"
_TAKEN = re.compile(r"([03]): [A-Z][a-z]+ for (?:later )?delivery")
_CARRIERS_CODE = re.compile(r"\berr:([0-9A-Za-z]{1,10})\b")
#: %d: which report; %A: the carrier's words. Kannel fills them in.
_REPORT_FIELDS = "&dlr=%d&answer=%A"
_SHOWN = 60


class KannelConfig(HttpConfig):
    """A `sendsms-user`; give it `max-messages`, or long texts are cut off."""

    username: str = Field(min_length=1)
    password: SecretStr = Field(min_length=1)
    smsc: str | None = Field(default=None, max_length=100, description="Sends by this connection; empty: Kannel chooses")
    base_url: BaseUrl = Field(description="smsbox's `sendsms-port`: http://127.0.0.1:13013, or https in front of it")
    path: str = Field(default="/cgi-bin/sendsms", pattern=r"^/[A-Za-z0-9/._-]*$")


class KannelProvider(HttpProvider[KannelConfig]):
    """
    One GET a message. Kannel has no id to give before the carrier has: ours stands for it.

    Reports come to a URL of each message's own, which says by its MAC whose they are; Kannel signs nothing. Of a text in parts one is
    reported, for all of them. For people's messages a
    `sms-service` has `get-url = "<callback URL>&id=%I&from=%p&to=%P&text=%a"`, with the URL that `provider show` says, and
    `max-messages = 0`.
    """

    slug = "kannel"
    title = "Kannel"
    Config = KannelConfig
    capabilities = Capabilities(callback_per_message=True, validity=True, inbound=True)

    #: smsbox answers in words. What is not here is a parameter of ours that it cannot read.
    faults: ClassVar[dict[str, Fault]] = {
        "Authorization failed for sendsms": MISCONFIGURED,
        "Sender missing and no global set, rejected": unsuitable(),
        "Number(s) has/have been denied by white- and/or black-lists.": unsuitable("recipient.blocked", remembered=False),
        "Missing receiver number, rejected": refused("recipient.invalid_number"),
        "Missing receiver(s) number(s), rejected": refused("recipient.invalid_number"),
        "Empty receiver number not allowed, rejected": refused("recipient.invalid_number"),
        "Temporal failure, try again later.": unavailable(),
    }

    def __init__(self, config: KannelConfig, *, account: str | None = None) -> None:
        super().__init__(config, account=account)
        self._credentials = {"username": config.username, "password": config.password.get_secret_value()}

    async def send(self, sms: OutboundSms, exchange: Exchange) -> Accepted:
        return replace(await super().send(sms, exchange), message_id=sms.reference)

    def request_for(self, sms: OutboundSms) -> HttpRequest:
        fields: dict[str, str | bytes] = {**self._credentials, "to": sms.to, "validity": str(max(1, sms.validity // 60))}
        if sms.encoding is Encoding.UCS2:
            # Ready made: a Kannel that was built without iconv could not convert it.
            fields |= {"coding": "2", "charset": "UTF-16BE", "text": sms.text.encode("utf-16-be")}
        else:
            fields |= {"coding": "0", "charset": "UTF-8", "text": sms.text.encode()}
        if sms.sender is not None:
            fields["from"] = sms.sender
        if self.config.smsc is not None:
            fields["smsc"] = self.config.smsc
        if sms.callback_url is not None:
            fields |= {"dlr-mask": _ALL_REPORTS, "dlr-url": sms.callback_url.replace("%", "%%") + _REPORT_FIELDS}
        query = urlencode(fields, quote_via=quote)
        return HttpRequest(method="GET", url=f"{self.config.base_url}{self.config.path}?{query}")

    def accepted(self, answer: HttpAnswer) -> Accepted | None:
        taken = _TAKEN.fullmatch(answer.text.strip())
        return None if taken is None else Accepted(message_id="ours", provider_status=taken[1])

    def error_of(self, answer: HttpAnswer) -> tuple[str, str] | None:
        words = answer.text.strip()
        return (words[:_SHOWN], "") if words in self.faults or words.endswith((", rejected", "misformed")) else None

    def read(self, callback: Callback) -> list[Receipt | Inbound]:
        fields = callback.query
        if fields.get("dlr"):
            code = _CARRIERS_CODE.search(fields.get("answer", ""))
            return [dlr.receipt(fields["dlr"], provider_code=None if code is None else code[1])]
        if fields.get("id") and fields.get("from") and fields.get("to") and "text" in fields:
            return [Inbound(message_id=fields["id"], sender=fields["from"], to=fields["to"], text=fields["text"])]
        return []
