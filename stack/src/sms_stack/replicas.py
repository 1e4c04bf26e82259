"""How many processes of each kind run side by side; the second worker is `worker-2`."""

import re
from collections.abc import Mapping

from sms_stack.errors import BadInstance

#: Which setting says how many. The gateway and the web have workers of their own under one port: SMSGW_GATEWAY_WORKERS, SMSGW_WEB_WORKERS.
SETTINGS = {
    "intake": "SMSGW_INTAKES",
    "worker-otp": "SMSGW_WORKERS_OTP",
    "worker": "SMSGW_WORKERS",
    "worker-upkeep": "SMSGW_WORKERS_UPKEEP",
    "beat": "SMSGW_BEATS",
}
_MOST = 64


def names(kind: str, given: Mapping[str, str]) -> list[str]:
    """The processes of one kind: `worker`, `worker-2` and so on. Raises `BadInstance` for what is no such number."""
    value = given.get(SETTINGS.get(kind, ""), "").strip() or "1"
    if not value.isdecimal() or not 0 < int(value) <= _MOST:
        raise BadInstance(f"{SETTINGS[kind]} must be a number between 1 and {_MOST}, not {value!r}.")
    return [kind, *(f"{kind}-{number}" for number in range(2, int(value) + 1))]


def kind_of(name: str) -> str:
    """`worker` of `worker-2`."""
    return re.sub(r"-\d+$", "", name)
