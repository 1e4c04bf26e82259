"""
API keys: `sgw_<mode>_<key id>_<secret>`, compared as HMAC-SHA256 under a pepper, in constant time.

An unknown key costs the same work as a wrong secret. Failures are throttled; a valid key always passes.

While the pepper is rotated a key may still be stored under an older one. When it is used, Server B is left its hash under the newest, so
that one after the other moves over without its client noticing.
"""

import hmac
import re
from hashlib import sha256
from ipaddress import IPv6Address, ip_address
from typing import Final

from sms_contract.keyspace import pepper_mark
from sms_gateway.cache import CacheError
from sms_gateway.clock import Clock
from sms_gateway.directory import Directory, Principal
from sms_gateway.problems import Problem
from sms_gateway.throttle import Throttle

_NO_HASH: Final = "0" * 64
#: Keys that are remembered as proven; beyond that, all are forgotten and proven again.
_PROVEN: Final = 1024
_KEY_ID: Final = re.compile(r"[a-z0-9]{1,64}")


class Authenticator:
    """Turns the headers of a request into a principal, or into a `Problem`."""

    def __init__(self, directory: Directory, clock: Clock, throttle: Throttle, peppers: tuple[bytes, ...]) -> None:
        self._directory = directory
        self._clock = clock
        #: Keyed once: each secret is hashed by a copy of it.
        self._macs = [hmac.new(pepper, digestmod="sha256") for pepper in peppers]
        self._mark = pepper_mark(peppers[0])
        self._noted: set[tuple[str, str]] = set()
        #: Keys that have just been compared and found right, by a digest: what they are and whose.
        self._proven: dict[bytes, tuple[str, Principal]] = {}
        self._throttle = throttle

    def recognized(self, headers: dict[bytes, bytes], scope: str) -> Principal | None:
        """
        The principal of a key that has been compared since its record was read, and depends on neither time nor place.

        None: `authenticate` has to see. A digest is looked up, never a secret, so that how long it takes says nothing about one.
        """
        presented = headers.get(b"api-key")
        if presented is None:
            return None
        found = self._proven.get(sha256(presented).digest())
        if found is None:
            return None
        key_id, principal = found
        return principal if self._directory.fresh_principal(key_id) is principal and scope in principal.scopes else None

    async def authenticate(self, headers: dict[bytes, bytes], address: str, scope: str) -> Principal:
        presented = headers.get(b"api-key")
        if presented is None:
            kind, _, presented = headers.get(b"authorization", b"").partition(b" ")
            if kind.lower() != b"bearer":
                raise await self._failure("auth.missing_key", address)
        key_id, mode, secret = _split(presented.strip())
        try:
            principal = None
            if key_id:
                principal = self._directory.fresh_principal(key_id) or await self._directory.principal(key_id)
        except CacheError as error:
            raise Problem("cache.unavailable") from error
        expected = principal.secret_hash if principal is not None else _NO_HASH
        hashes = [_hash(mac, secret) for mac in self._macs]
        # All of them, so that it takes as long whichever fits.
        matches = [hmac.compare_digest(one, expected) for one in hashes]
        if principal is None or not any(matches) or principal.mode != mode:
            raise await self._failure("auth.invalid_key", address)
        if principal.expires_at is not None and principal.expires_at * 1000 <= self._clock.now_ms():
            raise await self._failure("auth.invalid_key", address)
        if not matches[0]:
            await self._leave(key_id, hashes[0])
        _must_suit(principal, address, scope)
        if matches[0]:
            self._remember(headers, key_id, principal)
        return principal

    def _remember(self, headers: dict[bytes, bytes], key_id: str, principal: Principal) -> None:
        presented = headers.get(b"api-key")
        if presented is None or principal.expires_at is not None or principal.networks:
            return
        if len(self._proven) >= _PROVEN:
            self._proven.clear()
        self._proven[sha256(presented).digest()] = key_id, principal

    async def _leave(self, key_id: str, newest: str) -> None:
        """Leave Server B the hash under the newest pepper; where Redis does not answer, at the next use."""
        if (key_id, newest) in self._noted:
            return
        try:
            await self._directory.leave_hash(key_id, self._mark, newest)
        except CacheError:
            return
        self._noted.add((key_id, newest))

    async def _failure(self, code: str, address: str) -> Problem:
        wait = await self._throttle.failed(address)
        return Problem(code) if wait is None else Problem("auth.throttled", retry_after=wait)


def _hash(mac: hmac.HMAC, secret: bytes) -> str:
    mac = mac.copy()
    mac.update(secret)
    return mac.hexdigest()


def _split(presented: bytes) -> tuple[str, str, bytes]:
    try:
        brand, mode, key_id, secret = presented.decode("ascii").split("_", 3)
    except ValueError:  # UnicodeDecodeError too
        return "", "", presented
    if brand != "sgw" or not _KEY_ID.fullmatch(key_id):
        return "", "", presented
    return key_id, mode, secret.encode()


def _must_suit(principal: Principal, address: str, scope: str) -> None:
    if principal.networks and not _within(address, principal):
        raise Problem("auth.network")
    if scope not in principal.scopes:
        raise Problem("auth.scope", f"This key lacks the scope `{scope}`.")


def _within(address: str, principal: Principal) -> bool:
    try:
        where = ip_address(address)
    except ValueError:
        return False
    if isinstance(where, IPv6Address) and where.ipv4_mapped:
        where = where.ipv4_mapped
    return any(where in network for network in principal.networks)
