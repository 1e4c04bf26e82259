"""What must not grow: memory of each process, connections, dead rows. Figures over time, and what is wrong with them. Pure but for reading."""

import os
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chaos.system import System

_PAGE = os.sysconf("SC_PAGE_SIZE")
#: A process is warm after this long, in seconds; a slope needs so many readings of warm ones, over so long.
_WARM, _READINGS, _SPAN = 180.0, 8, 900.0
#: What may grow in an hour: this many MB, or this share of what there is.
_MB_AN_HOUR, _SHARE_AN_HOUR = 30.0, 0.25
#: Whose memory is to grow: the simulated provider keeps its ledger there, and Redis statuses and answers for three days.
_KEEPERS = frozenset({"simulator", "redis"})
#: Bytes by which Redis may grow for a message: 1,950 by `docs/howto/size.md`, and what its allocator leaves between (2,032 in 40 minutes).
_KEPT = 2200.0
#: Connections at the end, against the most of the first third.
_CONNECTIONS = 1.25
#: Dead rows that autovacuum leaves: a fifth by default, and its minute between two looks.
_DEAD_SHARE, _DEAD_LEAST = 0.6, 20_000


@dataclass(frozen=True, kw_only=True)
class Reading:
    """The figures at one moment, in seconds since the beginning."""

    at: float
    memory: dict[tuple[str, int], float]  #: MB, by name and pid
    connections: dict[str, int]  #: by service
    dead: dict[str, int]  #: rows, by table
    live: dict[str, int]
    partitions_ahead: int


def read(system: System, at: float) -> Reading:
    """Ask the kernel and the services."""
    processes = {name: process.pid for name, process in system.supervisor.processes().items() if process.pid}
    with system.sql() as sql:
        tables = sql.execute("SELECT relname, n_dead_tup, n_live_tup FROM pg_stat_user_tables").fetchall()
        backends = sql.execute("SELECT count(*) AS count FROM pg_stat_activity WHERE usename = 'smsgw'").fetchone()
        ahead = sql.execute(
            """
            SELECT count(*) AS count FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
            WHERE i.inhparent = 'messages'::regclass AND pg_get_expr(c.relpartbound, c.oid) <> 'DEFAULT'
            """
        ).fetchone()
    info: Any = system.redis.info("clients")
    return Reading(
        at=at,
        memory={(name, pid): _resident(pid) for name, pid in processes.items()},
        connections={
            "postgresql": backends.count if backends else 0,
            "redis": int(info["connected_clients"]),
            "rabbitmq": len(system.connections()),
        },
        dead={row.relname: row.n_dead_tup for row in tables},
        live={row.relname: row.n_live_tup for row in tables},
        partitions_ahead=ahead.count if ahead else 0,
    )


def _resident(pid: int) -> float:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE / 2**20
    except OSError:
        return 0.0


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Least squares: units a second."""
    count = len(points)
    mean_x, mean_y = sum(x for x, _ in points) / count, sum(y for _, y in points) / count
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / spread if spread else 0.0


def growth(readings: Sequence[Reading]) -> dict[str, tuple[float, float]]:
    """Of each process that lived long enough: MB at its last reading, and MB an hour by the slope; of several of a name, the worst."""
    series: dict[tuple[str, int], list[tuple[float, float]]] = defaultdict(list)
    for reading in readings:
        for one, megabytes in reading.memory.items():
            series[one].append((reading.at, megabytes))
    found: dict[str, tuple[float, float]] = {}
    for (name, _), points in series.items():
        warm = [(at, megabytes) for at, megabytes in points if at - points[0][0] >= _WARM]
        if len(warm) < _READINGS or warm[-1][0] - warm[0][0] < _SPAN:
            continue
        an_hour = slope(warm) * 3600
        if name not in found or an_hour > found[name][1]:
            found[name] = (warm[-1][1], an_hour)
    return found


def _kept_of_each(readings: Sequence[Reading]) -> float:
    """Bytes by which Redis has grown for each message that was stored meanwhile."""

    def stored(reading: Reading) -> int:
        return sum(rows for table, rows in reading.live.items() if table.startswith("messages"))

    first, last = readings[0], readings[-1]
    return (_of(last, "redis") - _of(first, "redis")) * 2**20 / max(1000, stored(last) - stored(first))


def complaints(readings: Sequence[Reading]) -> list[str]:
    """What has grown that must not."""
    if len(readings) < 3:
        return []
    found = [
        f"{name} grows by {an_hour:.0f} MB an hour (it has {megabytes:.0f} MB)"
        for name, (megabytes, an_hour) in growth(readings).items()
        if name not in _KEEPERS and an_hour > _MB_AN_HOUR and an_hour > _SHARE_AN_HOUR * megabytes
    ]
    if (kept := _kept_of_each(readings)) > _KEPT:
        found.append(f"redis grows by {kept:.0f} bytes a message")
    third = readings[: max(1, len(readings) // 3)]
    for service, now in readings[-1].connections.items():
        most = max(reading.connections[service] for reading in third)
        if now > most * _CONNECTIONS + 2:
            found.append(f"{service} has {now} connections, and had {most} at most in the beginning")
    for table, dead in readings[-1].dead.items():
        if dead > max(_DEAD_LEAST, _DEAD_SHARE * readings[-1].live[table]):
            found.append(f"{table} has {dead} dead rows beside {readings[-1].live[table]} live ones")
    if readings[-1].partitions_ahead < 4:
        found.append(f"there are partitions for {readings[-1].partitions_ahead} weeks only")
    return found


def summary(readings: Sequence[Reading]) -> dict[str, Any]:
    """For the report."""
    first, last = readings[0], readings[-1]
    grown = growth(readings)
    return {
        "memory_mb": {
            name: {
                "last": round(megabytes, 1),
                "an_hour": round(grown[name][1], 1) if name in grown else None,
                "series": [round(_of(reading, name), 1) for reading in readings],
            }
            for (name, _), megabytes in sorted(last.memory.items())
        },
        "connections": {
            service: {"first": first.connections[service], "last": now, "series": [reading.connections[service] for reading in readings]}
            for service, now in last.connections.items()
        },
        "dead_rows_in_all": [sum(reading.dead.values()) for reading in readings],
        "dead_rows": {table: dead for table, dead in sorted(last.dead.items(), key=lambda item: -item[1])[:8] if dead},
        "partitions": last.partitions_ahead,
        "readings": len(readings),
    }


def _of(reading: Reading, name: str) -> float:
    """MB of whatever ran under a name, when a kill may have given it another pid."""
    return sum(megabytes for (each, _), megabytes in reading.memory.items() if each == name)
