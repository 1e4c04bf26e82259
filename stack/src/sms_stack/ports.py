"""Ports on 127.0.0.1, chosen once, kept, and preferred again: callback URLs and pasted curl lines carry them."""

import json
import socket
from collections.abc import Callable, Collection, Iterator

from sms_stack.home import Home, write_private

NAMES = ("postgresql", "rabbitmq", "rabbitmq-distribution", "epmd", "redis", "gateway", "web", "simulator")
#: Below 32768, where the kernel's own choices for outgoing connections begin: a kept port is not taken by chance.
FIRST, LAST = 20000, 32000


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As servers do: a connection of the last run in TIME_WAIT is no obstacle.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def unused() -> int:
    """One that nobody listens on now, for something that soon will."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def kept(home: Home) -> dict[str, int]:
    try:
        ports = json.loads((home.path / "ports.json").read_text())
    except (OSError, ValueError):
        return {}
    return {name: port for name, port in ports.items() if name in NAMES and isinstance(port, int)}


def choose(home: Home, *, running: Collection[str], free: Callable[[int], bool] = is_free) -> tuple[dict[str, int], list[str]]:
    """
    Every port, and a sentence for each that had to move because a stranger has taken it.

    The ports of what is running are its own and not asked about.
    """
    before = kept(home)
    candidates = _candidates(home)
    ports: dict[str, int] = {}
    moved = []
    for name in NAMES:
        port = before.get(name)
        if port is not None and (name in running or free(port)):
            ports[name] = port
            continue
        taken = set(before.values()) | set(ports.values())
        ports[name] = next(each for each in candidates if each not in taken and free(each))
        if port is not None:
            moved.append(f"Port {port}, which {name} had, is taken by another program; {name} now has {ports[name]}.")
    if ports != before:
        write_private(home.path / "ports.json", json.dumps(ports, indent=2) + "\n")
    return ports, moved


def _candidates(home: Home) -> Iterator[int]:
    """From a place of the instance's own, so that two that choose at the same time hardly meet."""
    start = int(home.key, 16) % (LAST - FIRST)
    return (FIRST + (start + offset) % (LAST - FIRST) for offset in range(LAST - FIRST))
