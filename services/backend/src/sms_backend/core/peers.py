"""Who asks: the address behind the proxies that are trusted."""

from ipaddress import IPv6Address, ip_address, ip_network

from django.http import HttpRequest

from sms_backend.core.environment import environment


def peer(request: HttpRequest) -> str:
    """The address that asks: the peer's, or the last that no trusted proxy has added."""
    address: str = request.META.get("REMOTE_ADDR", "")
    trusted = environment.trusted_proxies
    forwarded = [hop.strip() for hop in request.headers.get("X-Forwarded-For", "").split(",")]
    while forwarded and forwarded[-1] and within(address, trusted):
        address = forwarded.pop()
    return address


def within(address: str, networks: list[str]) -> bool:
    """Whether an address, in text, is in one of the networks; what is no address is in none."""
    try:
        where = ip_address(address)
    except ValueError:
        return False
    if isinstance(where, IPv6Address) and where.ipv4_mapped:
        where = where.ipv4_mapped
    return any(where in ip_network(network, strict=False) for network in networks)
