"""A program under supervision: what is run, with which environment, and how it is ended."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Program:
    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    directory: Path = Path("/")
    #: The signal that ends it in good order; it also gets it when supervisord dies.
    stop_signal: str = "TERM"
    stop_seconds: int = 20
    #: Options of setpriv(1), for a program that must run as somebody else.
    privileges: tuple[str, ...] = ()

    @property
    def guarded_command(self) -> tuple[str, ...]:
        """
        Through setpriv, so that the program ends with supervisord, whatever ends that.

        setpriv sets the parent-death signal after it has changed the user: a change of user clears it.
        """
        return ("setpriv", *self.privileges, f"--pdeathsig={self.stop_signal}", "--", *self.command)
