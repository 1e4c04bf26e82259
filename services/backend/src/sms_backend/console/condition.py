"""How the system itself is: what it stands on, its queues, what waits, when each sweeper last came to its end."""

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sms_backend.core import broker
from sms_backend.core.errors import UnreachableError
from sms_backend.core.health import health
from sms_backend.messages import waiting
from sms_backend.messages.models import SweeperRun
from sms_backend.messages.sweeper_runs import SWEEPERS
from sms_backend.messages.waiting import Lane
from sms_backend.routing import circuits
from sms_backend.routing.models import Provider
from sms_backend.routing.selectors import TEST

#: Waiting messages are counted no further: what matters by then is that it is many.
MOST_WAITING = 10_000
#: A sweeper is silent once it has missed so many of its turns, and for so many seconds at least.
_TURNS, _LEAST = 3, 300
#: Asking the broker costs a connection: one answer serves everybody for so long.
_FRESH = 5.0


@dataclass(frozen=True, kw_only=True)
class Sweeper:
    """When it last came to its end."""

    name: str
    at: datetime | None
    silent: bool


@dataclass(frozen=True, kw_only=True)
class Condition:
    """All of it, now."""

    dependencies: Mapping[str, str]  #: `ok…`, or what is the matter
    queues: Mapping[str, int] | None  #: None: the broker does not answer
    lanes: Sequence[Lane]
    sweepers: Sequence[Sweeper]
    ill: Sequence[str]  #: providers whose circuit is open

    @property
    def silent(self) -> list[Sweeper]:
        """Those that have not come to their end for too long."""
        return [sweeper for sweeper in self.sweepers if sweeper.silent]

    @property
    def healthy(self) -> bool:
        """Nobody needs to be woken."""
        return not self.ill and all(said == "ok" for said in self.dependencies.values()) and not self.silent


def condition(now: datetime) -> Condition:
    """Ask everybody; none of them for long."""
    slugs = list(Provider.objects.filter(active=True).exclude(adapter=TEST).values_list("slug", flat=True))
    return Condition(
        dependencies=health().said,
        queues=_depths(),
        lanes=waiting.lanes(MOST_WAITING),
        sweepers=[_sweeper(run, now) for run in SweeperRun.objects.filter(name__in=SWEEPERS).order_by("name")],
        ill=sorted(circuits.said(slugs) or ()),
    )


def _sweeper(run: SweeperRun, now: datetime) -> Sweeper:
    patience = max(_LEAST, _TURNS * SWEEPERS[run.name])
    silent = run.succeeded_at is None or (now - run.succeeded_at).total_seconds() > patience
    return Sweeper(name=run.name, at=run.succeeded_at, silent=silent)


class _Asked:
    lock = threading.Lock()
    at = float("-inf")
    depths: Mapping[str, int] | None = None


def _depths() -> Mapping[str, int] | None:
    with _Asked.lock:
        if time.monotonic() - _Asked.at > _FRESH:
            try:
                _Asked.depths = broker.depths()
            except UnreachableError:
                _Asked.depths = None
            _Asked.at = time.monotonic()
        return _Asked.depths
