"""The vendors' customers: who may send, and how each is treated. Kept in a file, so that a restart forgets nobody."""

import base64
import binascii
import hashlib
import hmac
from functools import lru_cache
from pathlib import Path

import msgspec

from sms_simulators.behaviour import Behaviour, Decider


class AccountSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What the control API is given."""

    auth_token: str  #: whatever the vendor calls it: token, secret, key
    vendor: str = "twilio"
    api_keys: dict[str, str] = {}  #: key sid → secret, besides the token
    signature_secret: str | None = None  #: signs what the vendor posts, where that is not done with the token
    signature_method: str | None = None  #: where the vendor knows several
    report_method: str | None = None  #: how reports are posted, where the vendor knows several ways
    balance: float | None = 1000.0  #: what is left in it, however much is sent; None: the vendor fails when it is asked
    reports_url: str | None = None  #: where reports on messages go that name no URL of their own
    behaviour: Behaviour = Behaviour()


class Account:
    """One customer."""

    def __init__(self, sid: str, settings: AccountSettings) -> None:
        self.sid = sid
        self.settings = settings
        self.decider = Decider(settings.behaviour)

    def knows(self, user: str, password: str) -> bool:
        """Account sid and token, or one of its API keys."""
        if user == self.sid:
            return password == self.settings.auth_token
        return password == self.settings.api_keys.get(user)


class Accounts:
    """All customers; with `open_` those that nobody has set up too, with whatever credentials they bring."""

    def __init__(self, path: Path, *, open_: bool = False) -> None:
        self._path = path
        self._open = open_
        self._accounts: dict[str, Account] = {}
        self._visitors: dict[tuple[str, str, str], Account] = {}
        if path.exists():
            saved = msgspec.json.decode(path.read_bytes(), type=dict[str, AccountSettings])
            self._accounts = {sid: Account(sid, settings) for sid, settings in saved.items()}

    def put(self, sid: str, settings: AccountSettings) -> Account:
        """Set an account up, or anew: its counters and random numbers begin again."""
        self._accounts[sid] = account = Account(sid, settings)
        content = msgspec.json.encode({key: value.settings for key, value in self._accounts.items()})
        draft = self._path.with_name(self._path.name + ".new")
        draft.touch(mode=0o600)
        draft.write_bytes(content)
        draft.replace(self._path)
        return account

    def get(self, sid: str) -> Account | None:
        """An account that was set up."""
        return self._accounts.get(sid)

    def authenticate(self, sid: str, authorization: str, vendor: str = "twilio") -> Account | None:
        """The account that a request is for, if its Basic credentials are right."""
        credentials = basic(authorization)
        return None if credentials is None else self.check(vendor, sid, *credentials)

    def check(self, vendor: str, sid: str, user: str, password: str) -> Account | None:
        """The account of that name, if these credentials are its own."""
        account = self._accounts.get(sid)
        if account is not None:
            return account if account.settings.vendor == vendor and account.knows(user, password) else None
        return self._visitor(vendor, sid, password) if self._open else None

    def bearer(self, vendor: str, token: str) -> Account | None:
        """The account whose token this is: where a request names no account."""
        for account in self._accounts.values():
            if account.settings.vendor == vendor and hmac.compare_digest(account.settings.auth_token.encode(), token.encode()):
                return account
        sid = f"{vendor}-{hashlib.sha256(token.encode()).hexdigest()[:8]}"
        return self._visitor(vendor, sid, token) if self._open and token else None

    def _visitor(self, vendor: str, sid: str, password: str) -> Account:
        key = (vendor, sid, password)
        if key not in self._visitors:
            self._visitors[key] = Account(sid, AccountSettings(auth_token=password, vendor=vendor))
        return self._visitors[key]


@lru_cache(maxsize=1024)
def basic(authorization: str) -> tuple[str, str] | None:
    """User and password of an `Authorization: Basic` header."""
    scheme, _, value = authorization.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, colon, password = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return (user, password) if colon else None


def token_of(authorization: str, scheme: str) -> str:
    """What follows the scheme, `Bearer` or a vendor's own; empty for another scheme."""
    given, _, value = authorization.partition(" ")
    return value.strip() if given.lower() == scheme.lower() else ""


def accounts_file(ledger: Path) -> Path:
    """Where the accounts of a ledger are kept: beside it."""
    return ledger.with_name(ledger.name + ".accounts.json")
