"""Vonage's signature, written from its documentation (https://developer.vonage.com/en/getting-started/concepts/signing-messages)."""

import hashlib
import hmac
from collections.abc import Mapping


def sign(secret: str, method: str, fields: Mapping[str, str]) -> str:
    """The value of `sig` for these fields, which hold their `timestamp` already."""
    text = ""
    for name in sorted(fields):
        value = fields[name].replace("&", "_").replace("=", "_")
        text += "&" + name + "=" + value
    if method == "md5hash":
        return hashlib.md5((text + secret).encode("utf-8")).hexdigest()  # noqa: S324 - the vendor's
    return hmac.new(secret.encode("utf-8"), text.encode("utf-8"), method).hexdigest()
