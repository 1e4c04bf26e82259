"""supervisord's configuration file, from programs."""

import os
import re
import shlex
from collections.abc import Iterable
from pathlib import Path

from sms_stack.errors import BadInstance
from sms_stack.home import Home
from sms_stack.programs import Program

#: supervisord waits as many seconds before a restart as it has tried in a row; it never gives up.
ENDLESS = 1_000_000


def escaped(text: str) -> str:
    """Escape for supervisord, which expands %(name)s, and takes what follows a blank and ; or # for a comment."""
    if "\n" in text or re.search(r"\s[;#]", text):
        raise BadInstance(f"supervisord cannot be given {text!r}: a line break, or ; or # after a blank.")
    return text.replace("%", "%%")


def quoted(value: str) -> str:
    for mark in ('"', "'"):
        if mark not in value and value.strip("\"'") == value:
            return mark + escaped(value) + mark
    raise BadInstance("A setting holds both kinds of quotes, or begins or ends with one, which supervisord cannot be given.")


def section(home: Home, program: Program) -> str:
    environment = {**program.environment, "SMSGW_HOME": str(home.path), "SMSGW_PROGRAM": program.name}
    return "\n".join(
        [
            f"[program:{program.name}]",
            f"command={escaped(shlex.join(program.guarded_command))}",
            f"directory={escaped(str(program.directory))}",
            "environment=" + ",".join(f"{name}={quoted(value)}" for name, value in sorted(environment.items())),
            "autostart=false",
            "autorestart=true",
            f"startretries={ENDLESS}",
            "startsecs=1",
            f"stopsignal={program.stop_signal}",
            f"stopwaitsecs={program.stop_seconds}",
            "killasgroup=true",
            "redirect_stderr=true",
            f"stdout_logfile={escaped(str(home.log(program.name)))}",
            "stdout_logfile_maxbytes=20MB",
            "stdout_logfile_backups=3",
            "",
        ]
    )


def render(home: Home, socket: Path, programs: Iterable[Program]) -> str:
    own = [
        "; Written by ./smsgw up. It holds secrets: readable by its owner alone.",
        "[unix_http_server]",
        f"file={escaped(str(socket))}",
        "chmod=0700",
        "",
        "[supervisord]",
        f"logfile={escaped(str(home.log('supervisord')))}",
        "logfile_maxbytes=5MB",
        "logfile_backups=2",
        f"pidfile={escaped(str(home.run / 'supervisord.pid'))}",
        "directory=/",
        "umask=022",
        "identifier=smsgw",
        *(["user=root"] if os.geteuid() == 0 else []),
        "",
        "[rpcinterface:supervisor]",
        "supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface",
        "",
        "",
    ]
    return "\n".join(own) + "\n".join(section(home, program) for program in programs)
