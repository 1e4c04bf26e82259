"""Debian's Prometheus on the running system, with the rules that are delivered: only how long something must last is shortened."""

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import yaml
from system import until

from sms_stack import ports

RULES = Path(__file__).parents[2] / "deploy" / "prometheus" / "alerts.yml"


@dataclass(frozen=True, kw_only=True)
class Prometheus:
    """Asked over its own API: https://prometheus.io/docs/prometheus/latest/querying/api/#alerts"""

    url: str

    def firing(self) -> dict[str, list[dict[str, str]]]:
        """Names of alerts that fire now, and the labels of each that does."""
        found: dict[str, list[dict[str, str]]] = {}
        for alert in httpx.get(f"{self.url}/api/v1/alerts").raise_for_status().json()["data"]["alerts"]:
            if alert["state"] == "firing":
                labels = alert["labels"]
                found.setdefault(labels["alertname"], []).append(labels)
        return found

    def fires(self, name: str, *, seconds: float = 40.0) -> dict[str, str]:
        """Wait for an alert; returns the labels of its first."""
        return until(lambda: self.firing().get(name), seconds=seconds, what=f"{name} firing")[0]

    def rests(self, name: str, *, seconds: float = 40.0) -> None:
        """Wait until it fires no more."""
        until(lambda: name not in self.firing(), seconds=seconds, what=f"{name} not firing any more")

    def healthy(self) -> bool:
        """Whether both servers are being read."""
        targets = httpx.get(f"{self.url}/api/v1/targets").raise_for_status().json()["data"]["activeTargets"]
        return len(targets) == 2 and all(target["health"] == "up" for target in targets)


@contextmanager
def watching(folder: Path, *, gateway: str, backend: str) -> Iterator[Prometheus]:
    """Until the block ends."""
    impatient = re.sub(r"^(\s+for:) .*$", r"\1 1s", RULES.read_text(), flags=re.MULTILINE)
    (folder / "alerts.yml").write_text(impatient)
    # Server B's metrics are five seconds old at most, and take that long where PostgreSQL is away.
    jobs = (("smsgw-gateway", gateway, "1s"), ("smsgw-backend", backend, "8s"))
    configuration = {
        "global": {"evaluation_interval": "1s"},
        "rule_files": ["alerts.yml"],
        "scrape_configs": [
            {
                "job_name": name,
                "scrape_interval": every,
                "scrape_timeout": every,
                "static_configs": [{"targets": [urlsplit(url).netloc]}],
            }
            for name, url, every in jobs
        ],
    }
    (folder / "prometheus.yml").write_text(yaml.safe_dump(configuration))
    address = f"127.0.0.1:{ports.unused()}"
    command = [
        *("setpriv", "--pdeathsig=KILL", "--", "prometheus", f"--config.file={folder / 'prometheus.yml'}"),
        *(f"--storage.tsdb.path={folder / 'data'}", f"--web.listen-address={address}"),
    ]
    with (folder / "log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            found = Prometheus(url=f"http://{address}")
            until(lambda: _answers(found.url), seconds=30, what=f"Prometheus ready ({folder / 'log'})")
            until(found.healthy, what="both servers read by Prometheus")
            yield found
        finally:
            process.terminate()


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/-/ready").status_code == 200
    except httpx.HTTPError:
        return False
