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

pytestmark = pytest.mark.timeout(240)

ROOT = Path(__file__).parents[2]
NOT_COPIED = shutil.ignore_patterns(".git", ".venv", "var", "__pycache__", ".*_cache", ".hypothesis")
NOBODY = 65534
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
def closed_checkout(tmp_path_factory):
    folder = tmp_path_factory.mktemp("closed")
    folder.chmod(0o700)
    checkout = folder / "check out"  # with a blank, as people have them
    shutil.copytree(ROOT, checkout, ignore=NOT_COPIED, symlinks=True)
    yield checkout
    Entry(checkout)("down")


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


def test_a_checkout_under_a_closed_folder_starts_stops_and_finds_its_data_again(closed_checkout):
    entry = Entry(closed_checkout)
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


def test_supervisord_killed_takes_everything_along_and_up_heals(closed_checkout):
    entry = Entry(closed_checkout)
    entry("up", "--services-only")
    before = entry.services()
    os.kill(entry.supervisord(), signal.SIGKILL)
    # At once, while the services are still ending: it waits for them, and nothing has to move.
    entry("up", "--services-only")
    assert all(is_gone(service["pid"]) for service in before.values())
    after = entry.services()
    assert all(service["pid"] and service["pid"] != before[name]["pid"] for name, service in after.items())
    assert {name: service["url"] for name, service in after.items()} == {name: service["url"] for name, service in before.items()}


@pytest.mark.parametrize("name", ["postgresql", "rabbitmq", "redis"])
def test_a_killed_service_comes_back_by_itself(closed_checkout, name):
    entry = Entry(closed_checkout)
    entry("up", "--services-only")
    killed = entry.services()[name]["pid"]
    os.kill(killed, signal.SIGKILL)
    wait_for(lambda: entry.services()[name]["pid"] not in {None, killed})
    entry("up", "--services-only")


def test_two_starts_at_once_start_everything_once(closed_checkout):
    entry = Entry(closed_checkout)
    entry("down")
    command = [str(closed_checkout / "smsgw"), "up", "--services-only"]
    both = [subprocess.Popen(command, env=entry.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for _ in range(2)]
    assert [process.wait(timeout=120) for process in both] == [0, 0]
    data = os.fsencode(closed_checkout / "var/data")
    commands = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if not is_gone(int(path.parent.name))]
    assert sum(data in command and command.split(b"\0")[0].endswith(b"/postgres") for command in commands) == 1


@pytest.fixture
def open_folder():
    """Where an ordinary user gets in, which a test's own folder under a root's is not."""
    folder = Path(tempfile.mkdtemp(prefix="smsgw-user-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def readable_python(folder: Path, as_nobody: tuple[str, ...]) -> str:
    """The Python that runs this test, or a copy of it where an ordinary user may not read the original."""
    original = Path(sys._base_executable)
    if subprocess.run([*as_nobody, str(original), "-c", ""], cwd="/", capture_output=True, check=False).returncode == 0:
        return str(original)
    copy = folder / "python"
    shutil.copytree(
        sys.base_prefix, copy, symlinks=True, ignore=shutil.ignore_patterns("test", "tests", "__pycache__", "site-packages", "*.a")
    )
    python = copy / "bin" / original.name
    # A Python with a shared library looks for it where it was built; the copy must look beside itself.
    built_for = f"{sys.base_prefix}/lib\0".encode()
    python.write_bytes(python.read_bytes().replace(built_for, b"$ORIGIN/../lib".ljust(len(built_for), b"\0")))
    if subprocess.run([*as_nobody, str(python), "-c", "import ssl"], cwd="/", capture_output=True, check=False).returncode != 0:
        pytest.skip("this Python cannot be copied to where an ordinary user reads it")
    return str(python)


@pytest.mark.skipif(os.geteuid() != 0, reason="everything here already runs as an ordinary user")
def test_an_ordinary_user_starts_it_without_any_rights(open_folder):
    as_nobody = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--no-new-privs", "--")
    checkout = open_folder / "checkout"
    shutil.copytree(ROOT, checkout, ignore=NOT_COPIED, symlinks=True)
    # The environment is made with root's caches, and so without the network; from there on nobody is root.
    Entry(checkout, environment=clean_environment(UV_PYTHON=readable_python(open_folder, as_nobody), UV_LINK_MODE="copy"))("help")
    subprocess.run(["chown", "-R", f"{NOBODY}:{NOBODY}", str(open_folder)], check=True)
    environment = {"HOME": str(open_folder), "PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8"}
    entry = Entry(checkout, prefix=as_nobody, environment=environment)
    try:
        entry("up", "--services-only")
        for service in entry.services().values():
            assert Path(f"/proc/{service['pid']}").stat().st_uid == NOBODY
    finally:
        entry("down")
