"""Where an instance keeps its state: SMSGW_HOME, by default `var/` of the checkout. Another folder is another, independent instance."""

import fcntl
import hashlib
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sms_stack.errors import BadInstance
from sms_stack.progress import say

ROOT = Path(__file__).resolve().parents[3]  #: the checkout; every member is installed editable


@dataclass(frozen=True, kw_only=True)
class Home:
    path: Path

    @classmethod
    def from_environment(cls) -> "Home":
        return cls(path=Path(os.environ.get("SMSGW_HOME") or ROOT / "var").expanduser().absolute())

    @property
    def key(self) -> str:
        """Short, stable and unlike any other instance's: names what has to be told apart machine-wide."""
        return hashlib.sha256(os.fsencode(self.path.resolve())).hexdigest()[:12]

    @property
    def data(self) -> Path:
        return self.path / "data"

    @property
    def logs(self) -> Path:
        return self.path / "log"

    @property
    def run(self) -> Path:
        return self.path / "run"

    def make(self) -> None:
        for folder in (self.path, self.data, self.logs, self.run):
            folder.mkdir(parents=True, exist_ok=True)

    def log(self, name: str) -> Path:
        return self.logs / f"{name}.log"

    def last_lines(self, name: str, count: int = 15) -> str:
        try:
            text = self.log(name).read_text(errors="replace")
        except OSError:
            return ""
        return "\n".join(f"    {line}" for line in text.splitlines()[-count:])

    @contextmanager
    def lock(self) -> Iterator[None]:
        """One at a time may start, stop or prepare this instance."""
        self.make()
        with (self.run / "lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                say("Another ./smsgw is starting or stopping this instance; waiting for it.")
                fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def runtime(self) -> Path:
        """
        A short folder for the one socket there is: a socket's path may have 107 bytes, and a checkout's is longer soon.

        Its name is known to everyone, so it must be ours and closed to others.
        """
        kept = self.run / "runtime-folder"
        name = f"smsgw-{os.geteuid()}-{self.key}"
        folder = Path(kept.read_text().strip()) if kept.exists() else None
        if folder is None or folder.name != name or not folder.parent.is_dir():  # or the checkout was moved, or is another user's now
            # XDG_RUNTIME_DIR second: it goes away when its user logs out, and the system may stay up.
            places = (tempfile.gettempdir(), os.environ.get("XDG_RUNTIME_DIR", ""), "/var/tmp", "/run")  # noqa: S108 -- checked below
            base = next((place for place in places if 0 < len(place) < 60 and os.access(place, os.W_OK | os.X_OK)), None)
            if base is None:
                raise BadInstance("There is no short folder for a socket. Set XDG_RUNTIME_DIR to a folder of your own.")
            folder = Path(base) / name
        folder.mkdir(mode=0o700, exist_ok=True)
        seen = folder.lstat()
        if not stat.S_ISDIR(seen.st_mode) or seen.st_uid != os.geteuid():
            raise BadInstance(f"{folder} belongs to somebody else; remove it, or set XDG_RUNTIME_DIR to a folder of your own.")
        folder.chmod(0o700)
        write_private(kept, f"{folder}\n")
        return folder


def write_private(path: Path, text: str) -> None:
    """Replace a file that only its owner may read, at once: a reader sees the old or the new one."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    fresh.replace(path)
