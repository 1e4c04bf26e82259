"""Passwords and keys of one instance: made once, kept in a file that only its owner may read. The environment's own values win."""

import base64
import json
import os
import secrets
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

from sms_stack.errors import BadInstance
from sms_stack.home import Home, write_private


def _token() -> str:
    return secrets.token_urlsafe(32)


def _long_token() -> str:
    # Django's own check wants fifty characters.
    return secrets.token_urlsafe(48)


def _fernet_key() -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()


@dataclass(frozen=True, kw_only=True)
class Credentials:
    postgresql_superuser: str = field(default_factory=_token)
    postgresql: str = field(default_factory=_token)
    rabbitmq: str = field(default_factory=_token)
    erlang_cookie: str = field(default_factory=lambda: secrets.token_hex(20))
    redis: str = field(default_factory=_token)
    key_pepper: str = field(default_factory=_token)
    secret_key: str = field(default_factory=_long_token)
    credential_key: str = field(default_factory=_fernet_key)
    callback_secret: str = field(default_factory=_token)


def _owner(path: Path) -> str:
    try:
        return path.owner()
    except KeyError:
        return str(path.stat().st_uid)


def load(home: Home) -> Credentials:
    """The instance's credentials; what an older version did not know is added."""
    path = home.path / "secrets.json"
    if path.exists() and path.stat().st_uid != os.geteuid():
        raise BadInstance(
            f"{home.path} belongs to the user {_owner(path)}: run ./smsgw as that user, or set SMSGW_HOME to a folder of your own."
        )
    try:
        kept = json.loads(path.read_text())
    except FileNotFoundError:
        kept = {}
    except (OSError, ValueError) as error:
        raise BadInstance(f"{path} cannot be read ({error}). Restore it: without it the data cannot be opened.") from error
    known = {each.name for each in fields(Credentials)}
    credentials = Credentials(**{name: value for name, value in kept.items() if name in known})
    if known - kept.keys():
        home.make()
        write_private(path, json.dumps(asdict(credentials), indent=2) + "\n")
    return credentials
