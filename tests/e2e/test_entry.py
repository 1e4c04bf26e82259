"""The entry on machines as they are: a checkout under a closed folder, an ordinary user, and what was killed."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psycopg
import pytest

pytestmark = pytest.mark.timeout(600)

ROOT = Path(__file__).parents[2]
NOT_COPIED = shutil.ignore_patterns(".git", ".venv", "var", "__pycache__", ".*_cache", ".hypothesis")
NOBODY = 65534
AS_NOBODY = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--no-new-privs", "--")
SETTINGS = ("DATABASE_URL", "RABBITMQ_URL", "REDIS_URL", "PUBLIC_BASE_URL", "UV_PYTHON")


def clean_environment(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in SETTINGS and not name.startswith(("SMSGW_", "PYTEST_"))}
    return {**kept, **more}


class Entry:
    """A checkout's ./smsgw, as somebody runs it."""

    def __init__(self, checkout: Path, *, prefix: tuple[str, ...] = (), environment: dict[str, str] | None = None) -> None:
        self.checkout = checkout
        self.prefix = prefix
        self.environment = clean_environment() if environment is None else environment

    def __call__(self, *words: str) -> str:
        command = [*self.prefix, str(self.checkout / "smsgw"), *words]
        run = subprocess.run(command, cwd="/", env=self.environment, capture_output=True, text=True, check=False, timeout=200)
        assert run.returncode == 0, f"{command} ended with {run.returncode}\n{run.stdout}\n{run.stderr}"
        return run.stdout

    def services(self) -> dict[str, dict]:
        return {service["name"]: service for service in json.loads(self("status", "--json"))["services"]}

    def supervisord(self) -> int:
        return int((self.checkout / "var/run/supervisord.pid").read_text())


@pytest.fixture(scope="module")
def checkout():
    """A fresh one, under a folder that only its owner may enter, with a blank in its path, as people have them."""
    folder = Path(tempfile.mkdtemp(prefix="smsgw-entry-"))
    checkout = folder / "check out"
    shutil.copytree(ROOT, checkout, ignore=NOT_COPIED, symlinks=True)
    python = readable_python(folder)
    # From here on nothing but the shell and the Python is given: the environment is made by the first command.
    # Without what only tests need, which is most of it, and would take as long to copy as all else here takes.
    given = {"UV_LINK_MODE": "copy", "UV_NO_DEV": "1"} | ({"UV_PYTHON": python} if python else {})
    entry = Entry(checkout, environment=clean_environment(**given))
    entry("help")
    folder.chmod(0o700)
    yield checkout
    Entry(checkout)("down")
    shutil.rmtree(folder)


def readable_python(folder: Path) -> str | None:
    """The Python that runs this test, or a copy of it where an ordinary user may not read the original; None if there is no way."""
    original = Path(sys._base_executable)
    folder.chmod(0o755)
    if os.geteuid() != 0 or succeeds(*AS_NOBODY, str(original), "-c", ""):
        return str(original)
    copy = folder / "python"
    shutil.copytree(
        sys.base_prefix, copy, symlinks=True, ignore=shutil.ignore_patterns("test", "tests", "__pycache__", "site-packages", "*.a")
    )
    python = copy / "bin" / original.name
    # A Python with a shared library looks for it where it was built; the copy must look beside itself.
    built_for = f"{sys.base_prefix}/lib\0".encode()
    python.write_bytes(python.read_bytes().replace(built_for, b"$ORIGIN/../lib".ljust(len(built_for), b"\0")))
    return str(python) if succeeds(*AS_NOBODY, str(python), "-c", "import ssl") else None


def succeeds(*command: str) -> bool:
    return subprocess.run(command, cwd="/", capture_output=True, check=False).returncode == 0


def wait_for(condition, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.1)


def is_gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True


def test_a_checkout_under_a_closed_folder_starts_stops_and_finds_its_data_again(checkout):
    entry = Entry(checkout)
    entry("up", "--services-only")
    services = entry.services()
    assert all(service["managed"] and service["pid"] for service in services.values())
    with psycopg.connect(services["postgresql"]["url"]) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    entry("down")
    assert all(is_gone(service["pid"]) for service in services.values())
    assert json.loads(entry("status", "--json"))["ready"] is False

    entry("up", "--services-only")
    again = entry.services()
    assert {name: service["url"] for name, service in again.items()} == {name: service["url"] for name, service in services.items()}
    with psycopg.connect(again["postgresql"]["url"]) as connection:
        assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)


def test_supervisord_killed_takes_everything_along_and_two_starts_at_once_heal_it_once(checkout):
    entry = Entry(checkout)
    entry("up", "--services-only")
    before = entry.services()
    os.kill(entry.supervisord(), signal.SIGKILL)
    # At once, while the services are still ending: they wait for them, and nothing has to move.
    command = [str(checkout / "smsgw"), "up", "--services-only"]
    both = [subprocess.Popen(command, env=entry.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for _ in range(2)]
    assert [process.wait(timeout=120) for process in both] == [0, 0]
    assert all(is_gone(service["pid"]) for service in before.values())
    after = entry.services()
    assert {name: service["url"] for name, service in after.items()} == {name: service["url"] for name, service in before.items()}
    data = os.fsencode(checkout / "var/data")
    commands = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if not is_gone(int(path.parent.name))]
    assert sum(data in command and command.split(b"\0")[0].endswith(b"/postgres") for command in commands) == 1


@pytest.mark.parametrize("name", ["postgresql", "rabbitmq", "redis"])
def test_a_killed_service_comes_back_by_itself(checkout, name):
    entry = Entry(checkout)
    entry("up", "--services-only")
    killed = entry.services()[name]["pid"]
    os.kill(killed, signal.SIGKILL)
    wait_for(lambda: entry.services()[name]["pid"] not in {None, killed})
    entry("up", "--services-only")


@pytest.mark.skipif(os.geteuid() != 0, reason="everything here already runs as an ordinary user")
def test_an_ordinary_user_starts_it_without_any_rights(checkout):
    Entry(checkout)("down")
    folder = checkout.parent
    folder.chmod(0o755)
    python = str(checkout / ".venv/bin/python")
    if not succeeds(*AS_NOBODY, python, "-c", "import ssl"):
        pytest.skip("this Python cannot be copied to where an ordinary user reads it")
    subprocess.run(["chown", "-R", f"{NOBODY}:{NOBODY}", str(folder)], check=True)
    environment = {"HOME": str(folder), "PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8"}
    entry = Entry(checkout, prefix=AS_NOBODY, environment=environment)
    try:
        entry("up", "--services-only")
        for service in entry.services().values():
            assert Path(f"/proc/{service['pid']}").stat().st_uid == NOBODY
    finally:
        entry("down")
