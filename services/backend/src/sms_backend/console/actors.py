"""Who changes something, where it is no signed-in user: whoever runs a command."""

import os
import pwd
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Actor:
    """Who does something that no request of a user's asks for."""

    who: str


def operator() -> Actor:
    """The account that runs this process, or the one that sudo was called by. No user of the console has a name with a blank in it."""
    return Actor(who=f"command ({_login()})"[:150])


def _login() -> str:
    behind = os.environ.get("SUDO_USER", "")
    if behind:
        return behind
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # in containers, mostly
        return f"uid {os.getuid()}"
