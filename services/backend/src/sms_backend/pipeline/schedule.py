"""
The ticks. Each expires when late, and is safe to run twice at once.

It expires at the broker (`expiration`), never by a worker's clock (`expires`), which may be off.
"""

from typing import Any

from sms_contract import topology


def _every(seconds: float, task: str) -> dict[str, Any]:
    return {"task": task, "schedule": seconds, "options": {"queue": topology.UPKEEP, "expiration": max(2.0, seconds)}}


SCHEDULE = {
    "tick": _every(1, "pipeline.tick"),
    "readmodel": _every(1, "pipeline.readmodel"),
    "sweep": _every(2, "pipeline.sweep"),
    "inquire": _every(2, "pipeline.inquire"),
    "tally": _every(5, "pipeline.tally"),
    "balances": _every(60, "pipeline.balances"),
    "housekeeping": _every(60, "pipeline.housekeeping"),
    "retire": _every(900, "pipeline.retire"),
    "tidy": _every(900, "console.tidy"),
}
