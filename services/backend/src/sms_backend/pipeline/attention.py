"""
Staying at it: whoever has been woken looks again by himself for a while before he goes to sleep.

What comes meanwhile needs no hint, which costs its sender more than the work it is about, and is worked through in batches instead of one
by one. A hint counts as outstanding for as long as somebody is at it; he takes it back before he looks for the last time, so that what
comes after that look wakes somebody.
"""

import time
from collections.abc import Callable

from sms_backend.pipeline import hints

#: Seconds between two looks: so long may a report, or a webhook, wait for others.
PAUSE = 0.04
#: Looks in vain before it is enough.
_PATIENCE = 5
#: So much in one look is a backlog, at which others are welcome.
_BACKLOG = 1000


def attend(kind: str, work: Callable[[], int], *, until: float) -> None:
    """Call `work`, which does what is due and says how much that was, until nothing comes any more, or `until` (monotonic) has passed."""
    vain = 0
    while vain < _PATIENCE and time.monotonic() < until:
        hints.attended(kind)
        done = work()
        if done >= _BACKLOG:
            hints.arrived(kind)
        vain = 0 if done else vain + 1
        time.sleep(PAUSE)
    hints.arrived(kind)
    work()
