"""
The URL that a provider reports to: unguessable per account, and signed, per attempt or for all that the account says.

The first is given to the vendor with each message. The second an operator gives to a vendor that signs nothing and takes no URL with a
message: whoever knows it is believed, so that it stays between the two.
"""

import hmac
from urllib.parse import quote

from sms_backend.core.environment import environment


def mac(provider: str, tracking_id: str, attempt: int) -> str:
    """Proves that an attempt's URL was made here: 32 hex digits of an HMAC-SHA256."""
    return _mac(_of_attempt(provider, tracking_id, attempt), environment.callback_secrets[0])


def account_url(provider: str, token: str) -> str:
    """Where an account's reports and inbound messages go."""
    return f"{environment.public_base_url}/v1/callbacks/{quote(provider)}/{quote(token)}"


def account_mac(provider: str, token: str) -> str:
    """Proves that an account's URL was made here: 32 hex digits of an HMAC-SHA256."""
    return _mac(_of_account(provider, token), environment.callback_secrets[0])


def signed_account_url(provider: str, token: str) -> str:
    """Where an account's reports and inbound messages go, and count by the MAC where the vendor signs nothing."""
    return f"{account_url(provider, token)}?k={account_mac(provider, token)}"


def is_signed_account_url(provider: str, token: str, query: dict[str, str]) -> bool:
    """Whether the URL that a request came to is that one."""
    return _is_ours(_of_account(provider, token), query.get("k", ""))


def attempt_url(provider: str, token: str, tracking_id: str, attempt: int) -> str:
    """Where the reports of one attempt go."""
    return f"{account_url(provider, token)}?m={tracking_id}&a={attempt}&s={mac(provider, tracking_id, attempt)}"


def attempt_of(provider: str, query: dict[str, str]) -> tuple[str, int] | None:
    """Whose reports come to a URL: tracking id and attempt, if the URL was made here for this provider."""
    tracking_id, number, signature = query.get("m", ""), query.get("a", ""), query.get("s", "")
    if not number.isascii() or not number.isdigit() or len(number) > 5:
        return None
    return (tracking_id, int(number)) if _is_ours(_of_attempt(provider, tracking_id, int(number)), signature) else None


def _of_attempt(provider: str, tracking_id: str, attempt: int) -> str:
    return f"{provider}|{tracking_id}|{attempt}"


def _of_account(provider: str, token: str) -> str:
    return f"account|{provider}|{token}"


def _is_ours(what: str, signature: str) -> bool:
    """Of the URLs that are in use some were made before the secret was changed."""
    return any(hmac.compare_digest(_mac(what, secret).encode(), signature.encode()) for secret in environment.callback_secrets)


def _mac(what: str, secret: bytes) -> str:
    return hmac.digest(secret, what.encode(), "sha256").hex()[:32]
