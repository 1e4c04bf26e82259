"""Twilio's request signature, written from its documentation (https://www.twilio.com/docs/usage/security) and from nothing of ours."""

import base64
import hashlib
import hmac
from collections.abc import Mapping


def sign(auth_token: str, url: str, fields: Mapping[str, str]) -> str:
    """The value of `X-Twilio-Signature` for a form that is posted to `url`."""
    message = url
    for name in sorted(fields):
        message += name
        message += fields[name]
    mac = hmac.new(auth_token.encode("utf-8"), message.encode("utf-8"), hashlib.sha1)
    return base64.b64encode(mac.digest()).decode("ascii")
