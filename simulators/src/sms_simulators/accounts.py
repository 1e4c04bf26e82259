"""The vendor's customers: who may send, and how each is treated. Kept in a file, so that a restart forgets nobody."""

import base64
import binascii
from functools import lru_cache
from pathlib import Path

import msgspec

from sms_simulators.behaviour import Behaviour, Decider


class AccountSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the control API is given."""

    auth_token: str
    api_keys: dict[str, str] = {}  #: key sid → secret
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
        self._visitors: dict[tuple[str, str], Account] = {}
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

    def authenticate(self, sid: str, authorization: str) -> Account | None:
        """The account of a request's path, if its credentials are right."""
        credentials = _basic(authorization)
        if credentials is None:
            return None
        account = self._accounts.get(sid)
        if account is not None:
            return account if account.knows(*credentials) else None
        return self._visitor(sid, credentials[1]) if self._open else None

    def _visitor(self, sid: str, password: str) -> Account:
        key = (sid, password)
        if key not in self._visitors:
            self._visitors[key] = Account(sid, AccountSettings(auth_token=password))
        return self._visitors[key]


@lru_cache(maxsize=1024)
def _basic(authorization: str) -> tuple[str, str] | None:
    scheme, _, value = authorization.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, colon, password = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return (user, password) if colon else None


def accounts_file(ledger: Path) -> Path:
    """Where the accounts of a ledger are kept: beside it."""
    return ledger.with_name(ledger.name + ".accounts.json")
