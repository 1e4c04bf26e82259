"""PostgreSQL: stopped in the middle of commits, broken off, read-only, locked, without a partition, without space."""

import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import mkdtemp
from uuid import UUID

import psycopg
from psycopg import sql

from chaos.scenario import DOUBT, suite
from chaos.stage import Stage
from chaos.waiting import NotSoError, until


@suite.scenario("F7", rules=DOUBT, only_accepted=True)
def postgresql_stopped_immediately(stage: Stage) -> None:
    """PostgreSQL is told to stop at once, with commits under way (SIGQUIT: no clean end), and starts by its log."""
    for _ in stage.moments(2):
        stage.say("immediate stop")
        stage.system.signal("postgresql", signal.SIGQUIT)


@suite.scenario("F7", rules=DOUBT, only_accepted=True)
def postgresql_backend_killed(stage: Stage) -> None:
    """One server process of PostgreSQL is killed, which makes all of it start over: the answers to commits are lost."""
    for _ in stage.moments(5):
        stage.kill_pid(until(lambda: _busiest(stage), seconds=30, what="a backend of PostgreSQL"), "a backend of PostgreSQL")


@suite.scenario("F7", only_accepted=True)
def postgresql_connections_ended(stage: Stage) -> None:
    """An operator ends every connection, again and again."""
    for _ in stage.moments(5):
        with stage.system.sql() as connection:
            connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'smsgw'")


@suite.scenario("F7", rules=DOUBT, only_accepted=True)
def postgresql_frozen(stage: Stage) -> None:
    """PostgreSQL hangs, as on a stuck disk: everything waits, and whoever loses its connection meanwhile tries again."""
    for _ in stage.moments(1):
        with stage.system.sql() as connection:
            pids = [row.pid for row in connection.execute("SELECT pid FROM pg_stat_activity WHERE usename = 'smsgw'").fetchall()]
        with stage.frozen("postgresql"), stage.frozen_pids(pids):
            stage.last(1, 2)
            for name in ("intake", "worker"):
                stage.wire(name, "postgresql").reset()
            # Longer than a connection is waited for, twice: one is the heartbeat's.
            stage.last(12, 14)


@suite.scenario("F7", rules=DOUBT, only_accepted=True)
def postgresql_read_only(stage: Stage) -> None:
    """Every transaction is read-only for a while, as after a fail-over to a replica: held, not parked, and stored afterwards."""
    for _ in stage.moments(1):
        with stage.system.sql() as connection:
            connection.execute("ALTER SYSTEM SET default_transaction_read_only = on")
            connection.execute("SELECT pg_reload_conf()")
            stage.say("read-only")
            try:
                stage.last(5, 9)
            finally:
                connection.execute("SET default_transaction_read_only = off")
                connection.execute("ALTER SYSTEM RESET default_transaction_read_only")
                connection.execute("SELECT pg_reload_conf()")
        _nothing_parked(stage)


@suite.scenario("F7", rules=DOUBT, only_accepted=True)
def table_locked(stage: Stage) -> None:
    """Somebody holds a lock on `messages` for longer than any lock is waited for."""
    for _ in stage.moments(1):
        with stage.system.sql() as connection, connection.transaction():
            connection.execute("LOCK TABLE messages IN ACCESS EXCLUSIVE MODE")
            stage.say("messages locked")
            stage.last(7, 11)
        _nothing_parked(stage)


_PARTS = """
SELECT c.oid::regclass::text AS name, pg_get_expr(c.relpartbound, c.oid) AS bound
FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'messages'::regclass
"""


@suite.scenario("F7", rules=DOUBT, only_accepted=True)
def partition_missing(stage: Stage) -> None:
    """There is no partition for new messages for a while: they are held, not parked, and stored when there is one."""
    for _ in stage.moments(1):
        with stage.system.sql() as connection:
            newest = connection.execute("SELECT id, tableoid::regclass::text AS part FROM messages ORDER BY id DESC LIMIT 1").fetchone()
            bounds = {row.name: row.bound for row in connection.execute(_PARTS).fetchall()}
            if newest is None:
                raise NotSoError("there is no message to find the partition of today by")
            strays = next(name for name, bound in bounds.items() if bound == "DEFAULT")
            # Its end becomes now: what is stored stays where it is, what comes has no place.
            begins = bounds[newest.part].partition(" TO ")[0]
            with connection.transaction():
                connection.execute(f"ALTER TABLE messages DETACH PARTITION {strays}")
                connection.execute(f"ALTER TABLE messages DETACH PARTITION {newest.part}")
                last = connection.execute(f"SELECT id FROM {newest.part} ORDER BY id DESC LIMIT 1").fetchone()
                end = UUID(int=(last or newest).id.int + 1)
                connection.execute(f"ALTER TABLE messages ATTACH PARTITION {newest.part} {begins} TO ('{end}')")
            stage.say("no partition for new messages")
            try:
                stage.last(3, 6)
            finally:
                with connection.transaction():
                    connection.execute(f"ALTER TABLE messages DETACH PARTITION {newest.part}")
                    connection.execute(f"ALTER TABLE messages ATTACH PARTITION {newest.part} {bounds[newest.part]}")
                    connection.execute(f"ALTER TABLE messages ATTACH PARTITION {strays} DEFAULT")
        _nothing_parked(stage)


def _no_mounts() -> str | None:
    folder = mkdtemp(prefix="smsgw-chaos-")
    try:
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            return f"a small file system cannot be mounted here: {done.stderr.strip()}"
        subprocess.run(["umount", folder], check=True)
        return None
    finally:
        shutil.rmtree(folder)


@contextmanager
def _small_disk(stage: Stage) -> Iterator[Path]:
    """A file system of 32 MB that PostgreSQL may write to."""
    folder = Path(mkdtemp(prefix="smsgw-chaos-"))
    folder.chmod(0o755)
    owner = Path(f"/proc/{stage.system.pid('postgresql')}").stat().st_uid
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size=32m,uid={owner},mode=0700", "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)
        folder.rmdir()


@suite.scenario("F7", rules=DOUBT, only_accepted=True, needs=_no_mounts)
def disk_full(stage: Stage) -> None:
    """The disk under the messages is full: held, not parked, and stored when there is room."""
    with _small_disk(stage) as folder, stage.system.sql() as connection:
        connection.execute(sql.SQL("CREATE TABLESPACE chaos LOCATION {}").format(sql.Literal(str(folder))))
        # A partition of today, of which nothing is elsewhere: that of strays takes what has none.
        row = connection.execute(
            "SELECT tableoid::regclass::text AS name FROM messages WHERE client_id = %s ORDER BY id DESC LIMIT 1",
            [stage.load.told[0].customer.id],
        ).fetchone()
        if row is None:
            raise NotSoError("there is no message to find the partition of today by")
        connection.execute(f"ALTER TABLE {row.name} SET TABLESPACE chaos")
        filler = folder / "filler"
        try:
            for _ in stage.moments(1):
                _fill(filler)
                stage.say("disk full")
                stage.until(lambda: "DiskFull" in stage.system.instance.home.last_lines("intake", 50), "intake told that the disk is full")
                stage.last(2, 4)
        finally:
            filler.unlink(missing_ok=True)
            connection.execute(f"ALTER TABLE {row.name} SET TABLESPACE pg_default")
            connection.execute("DROP TABLESPACE chaos")
        _nothing_parked(stage)


def _fill(file: Path) -> None:
    """To the last page; unbuffered, or closing the file would fail over what it could not write."""
    with file.open("wb", buffering=0) as filler:
        for size in (65536, 4096):
            with suppress(OSError):
                while True:
                    filler.write(b"x" * size)


def _nothing_parked(stage: Stage) -> None:
    with stage.system.sql() as connection:
        row = connection.execute("SELECT count(*) AS parked FROM parked WHERE parked_at > now() - interval '2 minutes'").fetchone()
    if row is not None and row.parked:
        raise NotSoError(f"{row.parked} good messages were parked")


def _busiest(stage: Stage) -> int | None:
    """The server process that began to do something last; none while PostgreSQL starts over."""
    with suppress(psycopg.OperationalError), stage.system.sql() as connection:
        row = connection.execute(
            "SELECT pid FROM pg_stat_activity WHERE usename = 'smsgw' ORDER BY query_start DESC NULLS LAST LIMIT 1"
        ).fetchone()
        return row.pid if row else None
    return None
