"""Messages as Twilio shows them."""

import time
from email.utils import formatdate
from functools import lru_cache

from sms_simulators import messages
from sms_simulators.behaviour import Step

#: Statuses from which a message may still be taken back.
CANCELABLE = frozenset({"accepted", "scheduled", "queued"})


class Message(messages.Message, kw_only=True, eq=False):
    """One accepted message and what has become of it."""

    messaging_service: str | None = None

    def resource(self) -> dict[str, object]:
        """The JSON resource: every field, numbers as strings, dates as RFC 2822 has them."""
        uri = f"/2010-04-01/Accounts/{self.account}/Messages/{self.sid}"
        return {
            "account_sid": self.account,
            "api_version": "2010-04-01",
            "body": self.body,
            "date_created": _rfc2822(int(self.created)),
            "date_sent": None if self.sent is None else _rfc2822(int(self.sent)),
            "date_updated": _rfc2822(int(self.updated)),
            "direction": "outbound-api",
            "error_code": self.error_code,
            "error_message": None if self.error_code is None else f"Error {self.error_code}",
            "from": self.sender or None,
            "messaging_service_sid": self.messaging_service,
            "num_media": "0",
            "num_segments": str(self.segments),
            "price": None,
            "price_unit": "USD",
            "sid": self.sid,
            "status": self.status,
            "subresource_uris": {"media": f"{uri}/Media.json"},
            "to": self.to,
            "uri": f"{uri}.json",
        }

    def callback_fields(self, step: Step) -> dict[str, str]:
        """The form of one status callback."""
        fields = {
            "MessageSid": self.sid,
            "SmsSid": self.sid,
            "MessageStatus": step.status,
            "SmsStatus": step.status,
            "AccountSid": self.account,
            "From": self.sender,
            "To": self.to,
            "ApiVersion": "2010-04-01",
        }
        if step.error_code is not None:
            fields["ErrorCode"] = str(step.error_code)
        if self.messaging_service is not None:
            fields["MessagingServiceSid"] = self.messaging_service
        if step.status == "delivered":
            fields["RawDlrDoneDate"] = time.strftime("%y%m%d%H%M", time.gmtime())
        return fields


@lru_cache(maxsize=64)
def _rfc2822(second: int) -> str:
    return formatdate(second).replace("-0000", "+0000")
