"""The system, and Prometheus watching it; `./smsgw test alerts` brings the one up and installs the other."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus import Prometheus, watching
from system import System, opened


@pytest.fixture(scope="session")
def system() -> Iterator[System]:
    with opened("alerts", timeout=5) as found:
        yield found


@pytest.fixture(scope="session")
def prometheus(system: System, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    folder: Path = tmp_path_factory.mktemp("prometheus")
    with watching(folder, gateway=system.gateway, backend=system.console) as found:
        yield found
