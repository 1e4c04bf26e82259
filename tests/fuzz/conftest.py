"""How long, and from where: `FUZZ_SECONDS` for each target and each way (5), `FUZZ_SEED` (a new one each time, which is told)."""

import os
import secrets

import pytest

SECONDS = float(os.environ.get("FUZZ_SECONDS", "5"))
SEED = int(os.environ.get("FUZZ_SEED") or secrets.randbelow(2**31))


def pytest_report_header() -> str:
    return f"fuzz: FUZZ_SECONDS={SECONDS:g} FUZZ_SEED={SEED}"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        item.add_marker(pytest.mark.timeout(120 + 5 * SECONDS))


@pytest.fixture(scope="session")
def seconds() -> float:
    return SECONDS


@pytest.fixture(scope="session")
def seed() -> int:
    return SEED
