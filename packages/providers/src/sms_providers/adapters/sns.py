"""Amazon SNS: Publish to a phone number, by botocore's service description of 2010-03-31."""

import hashlib
import hmac
import re
from datetime import UTC, datetime
from typing import Annotated, ClassVar, Final
from urllib.parse import urlsplit

from pydantic import Field, SecretStr

from sms_contract.status import TrafficType
from sms_providers.base import HttpProvider, form_body
from sms_providers.config import BaseUrl, ProviderConfig
from sms_providers.errors import MISCONFIGURED, Fault, UnsuitableError, refused, unavailable, unsuitable
from sms_providers.types import Accepted, Capabilities, HttpAnswer, HttpRequest, OutboundSms, Reports

MAX_BYTES: Final = 1600
_ID = re.compile(r"<PublishResult>\s*<MessageId>([0-9A-Za-z-]{1,100})</MessageId>")
_ERROR = re.compile(r"<Error>.*?<Code>([A-Za-z0-9.]+)</Code>(?:\s*<Message>([^<]*)</Message>)?", re.DOTALL)
_FORM = "application/x-www-form-urlencoded; charset=utf-8"
_PARAMETER = frozenset({"InvalidParameter", "InvalidParameterValue", "ParameterValueInvalid", "ValidationError", "ValidationException"})


class SnsConfig(ProviderConfig):
    """An access key that may do `sns:Publish`, and a region."""

    access_key_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9]{16,128}$")]
    secret_access_key: SecretStr = Field(min_length=1)
    session_token: SecretStr | None = Field(default=None, description="Where the key is a temporary one")
    region: Annotated[str, Field(pattern=r"^[a-z]{2}(-[a-z]+)+-\d$")] = Field(description="eu-central-1")
    base_url: BaseUrl | None = Field(default=None, description="Only for an endpoint of one's own")


class SnsProvider(HttpProvider[SnsConfig]):
    """
    One signed POST a message. What becomes of it stands in CloudWatch's logs only, so that no report ever comes.

    To a number that has opted out at Amazon a message is accepted like any other, and goes nowhere: only the log says so. `aws sns
    list-phone-numbers-opted-out` has these numbers, for `suppression import`.
    """

    slug = "sns"
    title = "Amazon SNS"
    Config = SnsConfig
    capabilities = Capabilities(reports=Reports.NONE)

    faults: ClassVar[dict[str, Fault]] = {
        "InvalidParameter:PhoneNumber": refused("recipient.invalid_number"),
        # Publish does not answer so (https://docs.aws.amazon.com/sns/latest/api/API_Publish.html), but there is no doubt what it means.
        "OptedOut": refused("recipient.opted_out", opted_out=True),
        **dict.fromkeys(_PARAMETER, unsuitable(remembered=False)),
        "Throttled": unavailable(throttled=True),
        "Throttling": unavailable(throttled=True),
        "ThrottlingException": unavailable(throttled=True),
        "ThrottledException": unavailable(throttled=True),
        "RequestLimitExceeded": unavailable(throttled=True),
        "ServiceUnavailable": unavailable(),
        **dict.fromkeys(
            (
                "AccessDenied",
                "AccessDeniedException",
                "AuthorizationError",
                "ExpiredToken",
                "ExpiredTokenException",
                "IncompleteSignature",
                "InvalidAction",
                "InvalidClientTokenId",
                "InvalidSecurity",
                "MissingAuthenticationToken",
                "NotAuthorized",
                "OptInRequired",
                "RequestExpired",
                "SignatureDoesNotMatch",
                "UnrecognizedClientException",
                "UserError",
            ),
            MISCONFIGURED,
        ),
    }

    def __init__(self, config: SnsConfig, *, account: str | None = None) -> None:
        super().__init__(config, account=account)
        end = "amazonaws.com.cn" if config.region.startswith("cn-") else "amazonaws.com"
        self._url = (config.base_url or f"https://sns.{config.region}.{end}") + "/"

    def request_for(self, sms: OutboundSms) -> HttpRequest:
        if len(sms.text.encode()) > MAX_BYTES:
            raise UnsuitableError(f"more than {MAX_BYTES} bytes", code="content.blocked")
        kind = "Promotional" if sms.traffic_type is TrafficType.PROMOTIONAL else "Transactional"
        attributes = {"AWS.SNS.SMS.SMSType": kind}
        if sms.sender is not None:
            named = any(letter.isalpha() for letter in sms.sender)
            attributes["AWS.SNS.SMS.SenderID" if named else "AWS.MM.SMS.OriginationNumber"] = sms.sender
        fields = {"Action": "Publish", "Version": "2010-03-31", "PhoneNumber": sms.to, "Message": sms.text}
        for number, (name, value) in enumerate(attributes.items(), 1):
            entry = f"MessageAttributes.entry.{number}"
            fields |= {f"{entry}.Name": name, f"{entry}.Value.DataType": "String", f"{entry}.Value.StringValue": value}
        body = form_body(fields)
        return HttpRequest(method="POST", url=self._url, headers=self.signed(body, datetime.now(UTC)), body=body)

    def signed(self, body: bytes, now: datetime) -> dict[str, str]:
        """Headers with AWS Signature Version 4, for a POST of `body` at that time."""
        moment = now.strftime("%Y%m%dT%H%M%SZ")
        parts = urlsplit(self._url)
        headers = {"content-type": _FORM, "host": parts.netloc, "x-amz-date": moment}
        if self.config.session_token is not None:
            headers["x-amz-security-token"] = self.config.session_token.get_secret_value()
        names = ";".join(headers)
        lines = "".join(f"{name}:{value}\n" for name, value in headers.items())
        request = f"POST\n{parts.path}\n\n{lines}\n{names}\n{hashlib.sha256(body).hexdigest()}"
        scope = f"{moment[:8]}/{self.config.region}/sns/aws4_request"
        statement = f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
        key = b"AWS4" + self.config.secret_access_key.get_secret_value().encode()
        for step in scope.split("/"):
            key = hmac.digest(key, step.encode(), "sha256")
        signature = hmac.digest(key, statement.encode(), "sha256").hex()
        credential = f"{self.config.access_key_id}/{scope}"
        headers["authorization"] = f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={names}, Signature={signature}"
        return headers

    def accepted(self, answer: HttpAnswer) -> Accepted | None:
        found = _ID.search(answer.text)
        return None if found is None else Accepted(message_id=found[1])

    def error_of(self, answer: HttpAnswer) -> tuple[str, str] | None:
        found = _ERROR.search(answer.text)
        if found is None:
            return None
        code, message = found[1], found[2] or ""
        about_number = code in _PARAMETER and "phonenumber" in message.lower().replace(" ", "")
        return "InvalidParameter:PhoneNumber" if about_number else code, message
