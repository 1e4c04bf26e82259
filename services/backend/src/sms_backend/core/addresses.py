"""
Which addresses webhooks may go to: public ones alone, so that no client can make us call what only we can reach.

IPv6 is told by what it allows, IPv4 by what it forbids. Source: https://www.iana.org/assignments/iana-ipv6-special-registry/
"""

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

_V4_CLOSED = tuple(
    ip_network(text)
    for text in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",
        "100.64.0.0/10",  # carrier-grade NAT
        "127.0.0.0/8",
        "169.254.0.0/16",  # link-local, clouds' metadata
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.31.196.0/24",
        "192.52.193.0/24",
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",
        "192.175.48.0/24",
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, broadcast
    )
)
#: All that is given out; beyond it lie loopback, mapped, translated (NAT64), unique-local, link-local and multicast addresses.
_V6_OPEN = IPv6Network("2000::/3")
_V6_CLOSED = tuple(
    ip_network(text)
    for text in (
        "2001::/23",  # Teredo, ORCHID and other protocols
        "2001:db8::/32",
        "2002::/16",  # 6to4, which carries an IPv4 address
        "2620:4f:8000::/48",
        "3fff::/20",
    )
)
_LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1/128"))


def is_allowed(address: str, *, loopback: bool = False) -> bool:
    """Whether a webhook may go to an address, in text; `loopback` opens 127.0.0.0/8 and ::1."""
    try:
        known = ip_address(address)
    except ValueError:
        return False
    if loopback and any(known.version == network.version and known in network for network in _LOOPBACK):
        return True
    return _is_public(known)


def is_address(host: str) -> bool:
    """Whether a URL's host is an address, which nobody will resolve."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _V4_CLOSED)
    # A zone names an interface of ours.
    return address.scope_id is None and address in _V6_OPEN and not any(address in network for network in _V6_CLOSED)
