"""
The URL that a provider reports to: unguessable per account, and signed, per attempt or for all that the account says.

The first is given to the vendor with each message. The second an operator gives to a vendor that signs nothing and takes no URL with a
message: whoever knows it is believed, so that it stays between the two.
"""

import hashlib
import hmac
from urllib.parse import quote

from sms_backend.core.environment import environment


def mac(provider: str, tracking_id: str, attempt: int, *, secret: bytes | None = None) -> str:
    """Proves that a URL was made here: 32 hex digits of an HMAC-SHA256, by the newest secret unless another is given."""
    return hmac.new(secret or environment.callback_secrets[0], f"{provider}|{tracking_id}|{attempt}".encode(), hashlib.sha256).hexdigest()[
        :32
    ]


def account_url(provider: str, token: str) -> str:
    """Where an account's reports and inbound messages go."""
    return f"{environment.public_base_url}/v1/callbacks/{quote(provider)}/{quote(token)}"


def account_mac(provider: str, token: str) -> str:
    """Proves that an account's URL was made here: 32 hex digits of an HMAC-SHA256."""
    return hmac.new(_SECRET, f"account|{provider}|{token}".encode(), hashlib.sha256).hexdigest()[:32]


def signed_account_url(provider: str, token: str) -> str:
    """Where an account's reports and inbound messages go, and count by the MAC where the vendor signs nothing."""
    return f"{account_url(provider, token)}?k={account_mac(provider, token)}"


def is_signed_account_url(provider: str, token: str, query: dict[str, str]) -> bool:
    """Whether the URL that a request came to is that one."""
    return hmac.compare_digest(account_mac(provider, token).encode(), query.get("k", "").encode())


def attempt_url(provider: str, token: str, tracking_id: str, attempt: int) -> str:
    """Where the reports of one attempt go."""
    return f"{account_url(provider, token)}?m={tracking_id}&a={attempt}&s={mac(provider, tracking_id, attempt)}"


def attempt_of(provider: str, query: dict[str, str]) -> tuple[str, int] | None:
    """Whose reports come to a URL: tracking id and attempt, if the URL was made here for this provider."""
    tracking_id, number, signature = query.get("m", ""), query.get("a", ""), query.get("s", "")
    if not number.isascii() or not number.isdigit() or len(number) > 5:
        return None
    # Of those that are on their way some were made before the secret was changed.
    valid = [mac(provider, tracking_id, int(number), secret=secret) for secret in environment.callback_secrets]
    if not any(hmac.compare_digest(one.encode(), signature.encode()) for one in valid):
        return None
    return tracking_id, int(number)
