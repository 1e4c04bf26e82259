"""A private PostgreSQL: TCP with passwords, no socket; never as root, and also under a folder that only root may enter."""

import os
import pwd
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import psycopg
from psycopg import sql

from sms_stack.credentials import Credentials
from sms_stack.errors import BadInstance, MissingProgram, StackError
from sms_stack.home import Home, write_private
from sms_stack.programs import Program

NAME = "postgresql"
PACKAGE = "postgresql"
ROLE = DATABASE = "smsgw"
#: For one small machine; durability is never traded.
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "password_encryption": "scram-sha-256",
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "max_connections": "100",
    "shared_buffers": "256MB",
    "effective_cache_size": "1GB",
    "random_page_cost": "1.1",
    "max_wal_size": "2GB",
    "checkpoint_completion_target": "0.9",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # Neither the detail of an error nor its statement: they quote rows, and with them numbers and texts.
    "log_error_verbosity": "terse",
    "log_min_error_statement": "panic",
    "log_line_prefix": "%m [%p] %q%u@%d ",
}

#: As the server's user; into another folder first, because an interrupted initdb leaves half a cluster.
#: A cluster that nobody here knows of (its secrets are gone with SMSGW_HOME) is set aside, not removed.
INITIALISE = """
set -eu
umask 077
rm -rf "$1.new" "$1.password"
trap 'rm -f "$1.password"' EXIT
cat > "$1.password"
"$0" --pgdata="$1.new" --username=postgres --pwfile="$1.password" --auth-host=scram-sha-256 --auth-local=reject \\
    --encoding=UTF8 --locale=C.UTF-8 --no-instructions
if [ -e "$1" ]; then mv "$1" "$1.unknown-$(date +%s)"; fi
mv "$1.new" "$1"
"""


def folders() -> list[Path]:
    """Where servers of this machine may lie, newest first."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name), reverse=True)
    on_path = shutil.which("postgres")
    return [*debian, *([Path(on_path).parent] if on_path else [])]


def binary(version: str | None = None) -> Path | None:
    """The folder of a server that can also make a cluster, of a major `version` if the data already has one."""
    for folder in folders():
        complete = os.access(folder / "postgres", os.X_OK) and os.access(folder / "initdb", os.X_OK)
        if complete and version in {None, _major(folder)}:
            return folder
    return None


def preloaded(folder: Path) -> dict[str, str]:
    """Statistics of statements, where this server has brought the module: it cannot be loaded later."""
    module = folder.parent / "lib" / "pg_stat_statements.so"
    return {"shared_preload_libraries": "pg_stat_statements"} if module.exists() else {}


def compressed(folder: Path) -> dict[str, str]:
    """
    How whole pages are made smaller in the log: by lz4, where this server can.

    Idempotency keys come in no order, so that with millions of them nearly each has a page of its own; the first change of a page after a
    checkpoint writes it whole, and PostgreSQL's own method costs several times as much as all that is stored of the message.
    Source: https://www.postgresql.org/docs/15/runtime-config-wal.html#GUC-WAL-COMPRESSION
    """
    lz4 = int(_major(folder) or 0) >= 15 and b"liblz4.so" in (folder / "postgres").read_bytes()
    return {"wal_compression": "lz4" if lz4 else "on"}


def _major(folder: Path) -> str:
    told = subprocess.run([folder / "postgres", "--version"], capture_output=True, text=True, check=False).stdout  # noqa: S603
    found = re.search(r"\d+", told)
    return found[0] if found else ""


@dataclass(frozen=True, kw_only=True)
class PrivatePostgresql:
    program_names: ClassVar = (NAME,)

    home: Home
    credentials: Credentials
    port: int

    @property
    def url(self) -> str:
        return f"postgresql://{ROLE}:{self.credentials.postgresql}@127.0.0.1:{self.port}/{DATABASE}"

    @property
    def superuser_url(self) -> str:
        return f"postgresql://postgres:{self.credentials.postgresql_superuser}@127.0.0.1:{self.port}/postgres"

    @property
    def folder(self) -> Path:
        return self.home.data / "postgresql"

    @property
    def cluster(self) -> Path:
        """Resolved: where the folder is a link out of a closed checkout, the server cannot follow it."""
        return self.folder.resolve() / "cluster"

    @property
    def version_file(self) -> Path:
        """Beside the data, which may be closed to us: that there is a cluster, and of which major version."""
        return self.home.data / "postgresql.version"

    def binaries(self) -> Path:
        version = self.version_file.read_text().strip() if self.version_file.exists() else None
        found = binary(version)
        if found is None and version:
            raise MissingProgram(f"{self.cluster} was made by PostgreSQL {version}, which is not installed (any more).")
        if found is None:
            raise MissingProgram("PostgreSQL is not installed.")
        return found

    def prepare(self) -> None:
        """Make the cluster, if there is none, in a place where its user can reach it."""
        if self.version_file.exists():
            self._forget_stale_pid()
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        account = self._account()
        if account:
            os.chown(self.folder, account.pw_uid, account.pw_gid)
            if self._privileges() is None:
                self._move_out(account)
        binaries = self.binaries()
        command = [
            "setpriv",
            *self.privileges(),
            "--pdeathsig=KILL",
            "--",
            "sh",
            "-c",
            INITIALISE,
            str(binaries / "initdb"),
            str(self.cluster),
        ]
        password = self.credentials.postgresql_superuser
        run = subprocess.run(command, cwd="/", input=password, capture_output=True, text=True, check=False)  # noqa: S603
        if run.returncode != 0:
            raise StackError(f"PostgreSQL's initdb failed: {(run.stderr or run.stdout).strip()[-600:]}")
        write_private(self.version_file, _major(binaries) + "\n")

    def programs(self) -> list[Program]:
        binaries = self.binaries()
        chosen = {"port": str(self.port), **SETTINGS, **compressed(binaries), **preloaded(binaries)}
        settings = [word for name, value in chosen.items() for word in ("-c", f"{name}={value}")]
        command = (str(binaries / "postgres"), "-D", str(self.cluster), *settings)
        # INT is a fast shutdown; TERM would wait for every client. Its user may not be able to name the checkout as its folder.
        return [Program(name=NAME, command=command, stop_signal="INT", stop_seconds=60, privileges=self.privileges(), directory=Path("/"))]

    def privileges(self) -> tuple[str, ...]:
        found = self._privileges()
        if found is None:
            raise BadInstance(f"The user postgres can reach {self.folder} in no way tried; set SMSGW_HOME to a folder that it can enter.")
        return found

    def _account(self) -> pwd.struct_passwd | None:
        """Whom the server runs as when we are root, which it refuses."""
        if os.geteuid() != 0:
            return None
        try:
            return pwd.getpwnam("postgres")
        except KeyError as error:
            raise MissingProgram("The user postgres, which PostgreSQL's package makes, does not exist.") from error

    def _privileges(self) -> tuple[str, ...] | None:
        account = self._account()
        if account is None:
            return ()
        plain = (f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups")
        # A checkout under a 0700 parent: the user postgres passes it by one capability, and no parent is opened to others.
        passing = (*plain, "--inh-caps=+dac_override", "--ambient-caps=+dac_override")
        for options in (plain, passing):
            # By trying: access(2), which test -w asks, ignores the capability.
            probe = ["setpriv", *options, "--", "sh", "-c", 'd=$(mktemp -d "$0/probe.XXXXXX") && rmdir "$d"', str(self.folder.resolve())]
            if subprocess.run(probe, cwd="/", capture_output=True, check=False).returncode == 0:  # noqa: S603
                return options
        return None

    def _move_out(self, account: pwd.struct_passwd) -> None:
        """Where even the capability is denied, e.g. in a container: outside, with a link to it."""
        place = Path("/var/lib/smsgw") / self.home.key
        place.mkdir(parents=True, exist_ok=True)
        os.chown(place, account.pw_uid, account.pw_gid)
        place.chmod(0o700)
        self.folder.rmdir()
        self.folder.symlink_to(place)

    def _forget_stale_pid(self) -> None:
        """After a crash the number in the pid file may be another process's by now; PostgreSQL would not start."""
        file = self.cluster / "postmaster.pid"
        try:
            pid = int(file.read_text().split("\n", 1)[0])
            command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except (OSError, ValueError):
            return  # no file, no such process, or not for us to read: PostgreSQL deals with that itself
        if os.fsencode(self.cluster) not in command:
            file.unlink(missing_ok=True)


def trouble(url: str) -> str | None:
    """Why PostgreSQL does not answer at `url`, or None when it does."""
    try:
        psycopg.connect(url, connect_timeout=2).close()
    except psycopg.OperationalError as error:
        # What follows the first line is advice to those who run a server by hand.
        return str(error).strip().splitlines()[0]
    return None


def make_database(service: PrivatePostgresql) -> None:
    """The role, which may make databases (tests do), and its database."""
    role, password = sql.Identifier(ROLE), sql.Literal(service.credentials.postgresql)
    with psycopg.connect(service.superuser_url, autocommit=True, connect_timeout=5) as connection:
        exists = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [ROLE]).fetchone()
        if not exists:
            connection.execute(sql.SQL("CREATE ROLE {} LOGIN CREATEDB PASSWORD {}").format(role, password))
        if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone():
            connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(DATABASE), role))
