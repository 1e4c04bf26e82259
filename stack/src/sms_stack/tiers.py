"""The proofs, in tiers named by what they prove; everything that a tier starts is stopped when it ends, however it ends."""

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import NoReturn
from xml.etree import ElementTree as ET

from sms_stack import browser, extras, lifecycle, ports
from sms_stack.errors import StackError
from sms_stack.home import ROOT, Home
from sms_stack.instance import EXTERNAL, Instance
from sms_stack.progress import say

DEFAULT = ("unit", "integration", "e2e", "repo")
MEMBERS = ("packages/*", "services/*", "simulators", "stack")
#: Tiers that look at files, and need nothing to run, or bring what they need.
ALONE = {"repo", "containers", "monitoring", "fuzz", "tutorial"}
#: Programs that a tier asks, and the packages that bring them.
ASKED = {
    "containers": {"docker-compose": "docker-compose"},
    "monitoring": {"promtool": "prometheus"},
    "alerts": {"prometheus": "prometheus"},
}
#: A worker that was killed is noticed by time alone: tests do not wait as long as a provider would.
IMPATIENT = {"SMSGW_LEASE": "25", "SMSGW_UNKNOWN_WAIT": "5"}
#: Tiers whose system is another than everybody's.
SETTINGS = {
    "scale": {
        "SMSGW_GATEWAY_WORKERS": "2",
        "SMSGW_INTAKES": "2",
        "SMSGW_WORKERS": "2",
        "SMSGW_WORKERS_OTP": "2",
        "SMSGW_WORKERS_UPKEEP": "2",
        "SMSGW_BEATS": "2",
        "SMSGW_WEB_WORKERS": "2",
    },
    # Often, so that tests need not wait for spans; and two gateways, each of which has to export its own.
    "tracing": {"SMSGW_GATEWAY_WORKERS": "2", "OTEL_BSP_SCHEDULE_DELAY": "200"},
}
#: Tiers in which some tests bring instances of their own, beside those of the instance that is there.
AT_ONCE = {"e2e": ["-n", "2", "--dist", "loadscope"]}
TRACING = "tracing"
NO_TESTS = 5  #: pytest's exit code when nothing was collected


@dataclass(frozen=True, kw_only=True)
class Outcome:
    tier: str
    passed: int
    failed: int
    skipped: int
    seconds: float


def known() -> list[str]:
    folders = sorted({file.parent.name for file in (ROOT / "tests").glob("[!_]*/test_*.py")})
    return list(dict.fromkeys([*DEFAULT, *folders]))


def split(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Tiers first, then what pytest gets; no tier named means all the usual ones."""
    names = known()
    count = next((index for index, word in enumerate(arguments) if word not in names), len(arguments))
    return list(arguments[:count]) or list(DEFAULT), list(arguments[count:])


def own_environment() -> dict[str, str]:
    """Tests never touch the services and settings of whoever runs them."""
    settings = {"PUBLIC_BASE_URL", *(setting for setting, _ in EXTERNAL.values())}
    return {name: value for name, value in os.environ.items() if name not in settings and not name.startswith("SMSGW_")}


@dataclass(frozen=True, kw_only=True)
class Run:
    """One run of some tiers, in an instance of the tests' own."""

    home: Home
    pytest_arguments: Sequence[str]
    quiet: bool

    def tier(self, name: str) -> Outcome:
        say(f"\n── {name} ──")
        start = time.monotonic()
        runners: Mapping[str, Callable[[], int]] = {"unit": self._unit, "integration": self._integration}
        report = self._report(name)
        report.unlink(missing_ok=True)
        try:
            code = runners.get(name, lambda: self._outside(name))()
        except StackError as problem:
            say(str(problem))
            code = 1
        return self._outcome(name, code, time.monotonic() - start)

    def _unit(self) -> int:
        # Sockets are forbidden, but for the pairs that event loops are made of.
        return self._pytest("unit", folders("unit"), ["-n", "2", "--disable-socket", "--allow-unix-socket"], own_environment())

    def _integration(self) -> int:
        places = folders("integration")
        if not places:
            return NO_TESTS
        given = own_environment()
        with self._up(services_only=True) as instance:
            environment = {**given, **instance.settings, "SMSGW_HOME": str(self.home.path)}
            del environment["PROMETHEUS_MULTIPROC_DIR"]
            # They wait more than they work: three share two cores well. Each has its own database, virtual host and Redis database.
            options = ["-n", "3", "--dist", "worksteal", "-p", "sms_stack.pytest_services"]
            return self._pytest("integration", places, options, environment)

    def _outside(self, name: str) -> int:
        """Against the whole system, seen from outside, but for those that need none."""
        places = [folder for folder in [ROOT / "tests" / name] if folder.is_dir()]
        if not places:
            return NO_TESTS
        missing = [package for program, package in ASKED.get(name, {}).items() if shutil.which(program) is None]
        if missing:
            lifecycle.install(missing, reason=f"The {name} tier asks what is not installed")
        if name == "fuzz":
            extras.bring("fuzz", ["atheris"])
        if name in ALONE:
            return self._pytest(name, places, [], own_environment())
        if name == browser.TIER:
            browser.prepare()
        # Where its tests receive spans: nobody listens there in any other tier, nor is it told.
        collector = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{ports.unused()}"} if name == TRACING else {}
        with self._up(simulator=True, settings=SETTINGS.get(name, {}) | collector) as instance:
            environment = {
                **own_environment(),
                **collector,
                "SMSGW_HOME": str(self.home.path),
                "E2E_GATEWAY_URL": instance.gateway_url,
                "E2E_CONSOLE_URL": instance.web_url,
                "E2E_SIMULATOR_URL": instance.simulator_url,
            }
            return self._pytest(name, places, AT_ONCE.get(name, []), environment)

    @contextmanager
    def _up(
        self, *, services_only: bool = False, simulator: bool = False, settings: Mapping[str, str] = MappingProxyType({})
    ) -> Iterator[Instance]:
        # From nothing each time: what an earlier run left would route, count and be found.
        lifecycle.down(self.home)
        forget(self.home.data)
        set_aside(self.home)
        try:
            given = {**own_environment(), **IMPATIENT, **settings}
            yield lifecycle.up(self.home, services_only=services_only, simulator=simulator, given=given)
        finally:
            lifecycle.down(self.home)

    def _report(self, name: str) -> Path:
        return self.home.run / f"tests-{name}.xml"

    def _pytest(self, name: str, places: Sequence[Path], options: Sequence[str], environment: Mapping[str, str]) -> int:
        named = any((ROOT / word.split("::")[0]).exists() for word in self.pytest_arguments if not word.startswith("-"))
        if not named and not places:
            return NO_TESTS
        command = [
            *("setpriv", "--pdeathsig=TERM", "--", sys.executable, "-m", "pytest", f"--junit-xml={self._report(name)}"),
            *options,
            *([] if named else map(str, places)),
            *self.pytest_arguments,
        ]
        return subprocess.run(command, cwd=ROOT, env=environment, stdout=sys.stderr if self.quiet else None, check=False).returncode  # noqa: S603

    def _outcome(self, name: str, code: int, seconds: float) -> Outcome:
        counts = dict.fromkeys(("tests", "failures", "errors", "skipped"), 0)
        if self._report(name).exists():
            for suite in ET.parse(self._report(name)).getroot().iter("testsuite"):  # noqa: S314 -- pytest wrote it just now
                for each in counts:
                    counts[each] += int(suite.get(each, 0))
        failed = counts["failures"] + counts["errors"]
        if code not in {0, NO_TESTS} and not failed:
            failed = 1  # it did not come to an end, or not even to a beginning
        passed = max(0, counts["tests"] - counts["failures"] - counts["errors"] - counts["skipped"])
        return Outcome(tier=name, passed=passed, failed=failed, skipped=counts["skipped"], seconds=seconds)


def folders(tier: str) -> list[Path]:
    return sorted(folder for member in MEMBERS for folder in ROOT.glob(f"{member}/tests/{tier}"))


def forget(data: Path) -> None:
    """Remove an instance's data, and what PostgreSQL's folder links to where it had to be moved out."""
    for folder in data.glob("*"):
        if folder.is_symlink():
            shutil.rmtree(folder.resolve(), ignore_errors=True)
            folder.unlink()
    shutil.rmtree(data, ignore_errors=True)


def set_aside(home: Home) -> None:
    """Logs are read by tests as well: those of the tier before stay beside them, for whoever asks why it failed."""
    before = home.path / "log.before"
    shutil.rmtree(before, ignore_errors=True)
    if home.logs.exists():
        home.logs.rename(before)
    home.make()


def run(tiers: Sequence[str], pytest_arguments: Sequence[str], *, quiet: bool) -> list[Outcome]:
    """Every tier, one after the other, also when one fails."""

    def leave(*_: object) -> NoReturn:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, leave)
    home = Home(path=ROOT / "var" / "test")
    home.make()
    with (home.run / "tests-lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("Another ./smsgw test runs in this checkout; waiting for it.")
            fcntl.flock(lock, fcntl.LOCK_EX)
        this = Run(home=home, pytest_arguments=pytest_arguments, quiet=quiet)
        return [this.tier(name) for name in tiers]
