"""What the client's receiver of webhooks has heard: a line for each, of one length, in its file."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from bench.following import LINE


@dataclass(frozen=True, kw_only=True)
class Receiver:
    """A running `bench.receiver`."""

    pid: int
    url: str
    file: Path

    def count(self) -> int:
        """How many webhooks have come."""
        return self.file.stat().st_size // LINE if self.file.exists() else 0

    def heard(self) -> Counter[str]:
        """How often it was told of each message."""
        return Counter(self.file.read_text().split()) if self.file.exists() else Counter()
