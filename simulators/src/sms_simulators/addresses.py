"""Whether an address stays on this machine."""

from functools import lru_cache
from ipaddress import ip_address
from urllib.parse import urlsplit


@lru_cache(maxsize=1024)
def is_loopback(host: str) -> bool:
    """Whether a host name or address stays on this machine."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def may_call(url: str, *, allow_remote: bool) -> bool:
    """Whether reports may be posted there."""
    # What follows the path tells messages apart, and says nothing about where.
    return _may_call(url.partition("?")[0], allow_remote=allow_remote)


@lru_cache(maxsize=1024)
def _may_call(url: str, *, allow_remote: bool) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        return False
    return allow_remote or is_loopback(parts.hostname)
