"""How many segments a second a provider takes, counted in Redis for the whole cluster. Redis away: no limit, and the provider says no."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files

from sms_backend.core.besteffort import BestEffort
from sms_backend.core.cache import cache
from sms_contract.status import TrafficType

#: Seconds of a provider's rate that may be sent at once after a pause; claims come about this often.
BURST = 0.75
#: The part of it that only `otp` may use.
KEPT_FOR_OTP = 0.2
#: Seconds by which a turn may lie ahead. Longer: what is freed by a higher limit would be used late.
_HORIZON = {TrafficType.OTP: 5.0}
_USUAL_HORIZON = 60.0

_take = cache.register_script(files("sms_backend.routing").joinpath("throughput.lua").read_text())
_best_effort = BestEffort("throughput")


@dataclass(frozen=True, kw_only=True, slots=True)
class Demand:
    """Messages that want to go to one provider now, in their order."""

    rate: float  #: segments a second
    segments: Sequence[int]


@dataclass(frozen=True, kw_only=True, slots=True)
class Supply:
    """What it can take."""

    granted: int  #: so many of them, the first ones
    waits: tuple[float, ...] = ()  #: for each of the others, seconds until its turn


def bucket_key(slug: str) -> str:
    """Hash: `t`, when the bucket is full again, and `q`, until when turns are given; both in microseconds."""
    return f"sms:tokens:{slug}"


def take(demands: Mapping[str, Demand], *, lane: str) -> dict[str, Supply]:
    """Take tokens for as many messages as there are any for, at every provider in one round trip."""
    if not demands:
        return {}
    everything = {slug: Supply(granted=len(demand.segments)) for slug, demand in demands.items()}
    return _best_effort(lambda: _taken(demands, lane), otherwise=everything)


def _taken(demands: Mapping[str, Demand], lane: str) -> dict[str, Supply]:
    ahead = BURST if lane == TrafficType.OTP else BURST * (1 - KEPT_FOR_OTP)
    horizon = _HORIZON.get(TrafficType(lane), _USUAL_HORIZON)
    with cache.pipeline(transaction=False) as pipe:
        for slug, demand in demands.items():
            _take(keys=[bucket_key(slug)], args=[demand.rate, int(ahead * 1e6), int(horizon * 1e6), *demand.segments], client=pipe)
        answers = pipe.execute()
    return {
        slug: supply(demand, granted=int(granted), first=int(wait) / 1e6, horizon=horizon)
        for (slug, demand), (granted, wait) in zip(demands.items(), answers, strict=True)
    }


def supply(demand: Demand, *, granted: int, first: float, horizon: float) -> Supply:
    """Turns for those that wait, one behind the other; those past the horizon share its last second."""
    waits: list[float] = []
    turn = first
    for position, segments in enumerate(demand.segments[granted:]):
        waits.append(turn if turn < horizon else horizon - (position % 10) / 10)
        turn += segments / demand.rate
    return Supply(granted=granted, waits=tuple(waits))
