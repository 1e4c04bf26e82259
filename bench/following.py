"""Following messages to their provider, in the read model that clients read from too."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
from redis import Redis

from sms_contract import keyspace
from sms_contract.status import Status

_AT_ONCE = 200
LINE = 37  #: a tracking id and the end of its line


class _Shown(msgspec.Struct):
    status: str


_decode = msgspec.json.Decoder(_Shown).decode


@dataclass
class Following:
    """What has been accepted (by the load generator's file), and how far it has come on its way to the status `goal`."""

    redis: "Redis"
    client_id: str
    ids_file: Path
    goal: Status = Status.SENT
    ids: list[str] = field(default_factory=list)
    settled: int = 0  #: of `ids`, from the first on without a gap
    otherwise: dict[str, str] = field(default_factory=dict)  #: that ended, and not as sent

    def look(self) -> None:
        """Read on in the file, and on from the first message that was not settled."""
        self._read_ids()
        while self.settled < len(self.ids):
            batch = self.ids[self.settled : self.settled + _AT_ONCE]
            statuses = self._statuses(batch)
            count = next((index for index, status in enumerate(statuses) if not self._is_settled(status)), len(batch))
            for tracking_id, status in zip(batch[:count], statuses, strict=False):
                if status != self.goal:
                    self.otherwise[tracking_id] = str(status)
            self.settled += count
            if count < len(batch):
                return

    def unsettled(self) -> list[str]:
        """All that have not come to an end, also behind the first of them."""
        rest = self.ids[self.settled :]
        found: list[str] = []
        for start in range(0, len(rest), _AT_ONCE):
            batch = rest[start : start + _AT_ONCE]
            found += [one for one, status in zip(batch, self._statuses(batch), strict=True) if not self._is_settled(status)]
        return found

    def _read_ids(self) -> None:
        if not self.ids_file.exists():
            return
        with self.ids_file.open("rb") as file:
            file.seek(len(self.ids) * LINE)
            content = file.read()
        whole = len(content) // LINE * LINE  # a line may have been written in part
        self.ids += content[:whole].decode().split()

    def _statuses(self, ids: Sequence[str]) -> list[str | None]:
        values = self.redis.mget([keyspace.status(self.client_id, one) for one in ids])
        return [_decode(value.split(b"|", 2)[2]).status if isinstance(value, bytes) else None for value in values]

    def _is_settled(self, status: str | None) -> bool:
        return status is not None and (status == self.goal or Status(status).is_final)
