"""Where an instance keeps its state: SMSGW_HOME, by default `var/` of the checkout. Another folder is another, independent instance."""

import fcntl
import hashlib
import os
import shutil
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

    @property
    def runtime(self) -> Path:
        """A short folder for the one socket there is: a socket's path may have 107 bytes, and a checkout's is longer soon."""
        name = f"smsgw-{os.geteuid()}-{self.key}"
        kept = self.run / "runtime-folder"
        folder = Path(kept.read_text().strip()) if kept.exists() else None
        if folder is not None and folder.name == name and folder.parent.is_dir():
            return folder
        # None yet; or the checkout was moved, or is another user's now. XDG_RUNTIME_DIR comes second: it goes away when its user logs out.
        places = (tempfile.gettempdir(), os.environ.get("XDG_RUNTIME_DIR", ""), "/var/tmp", "/run")  # noqa: S108 -- checked when it is made
        base = next((place for place in places if 0 < len(place) < 60 and os.access(place, os.W_OK | os.X_OK)), None)
        if base is None:
            raise BadInstance("There is no short folder for a socket. Set XDG_RUNTIME_DIR to a folder of your own.")
        return Path(base) / name

    def make_runtime(self) -> None:
        """Its name is known to everyone, so it must be ours and closed to others."""
        folder = self.runtime
        folder.mkdir(mode=0o700, exist_ok=True)
        if not is_ours(folder):
            raise BadInstance(f"{folder} belongs to somebody else; remove it, or set TMPDIR to a folder of your own.")
        folder.chmod(0o700)
        write_private(self.run / "runtime-folder", f"{folder}\n")

    def remove_runtime(self) -> None:
        if is_ours(self.runtime):
            shutil.rmtree(self.runtime)


def is_ours(folder: Path) -> bool:
    try:
        seen = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(seen.st_mode) and seen.st_uid == os.geteuid()


def write_private(path: Path, text: str) -> None:
    """Replace a file that only its owner may read, at once: a reader sees the old or the new one."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    fresh.replace(path)
