"""
A pytest plugin for integration tests: each parallel process has a database, a virtual host and a Redis database of its own.

`./smsgw test integration` names it with `-p sms_stack.pytest_services` and gives the services' addresses. The environment is narrowed
to this process's own before anything else is imported, because Django reads its settings once.
"""

import os
from urllib.parse import unquote, urlsplit, urlunsplit

import amqp  # type: ignore[import-untyped]
import psycopg
import pytest
from psycopg import sql
from redis import Redis

from sms_contract import topology

GIVEN = {name: os.environ.get(name, "") for name in ("DATABASE_URL", "RABBITMQ_URL", "REDIS_URL")}


def number(worker: str) -> int:
    """pytest-xdist calls its processes gw0, gw1 …; without it there is one."""
    return int(worker.removeprefix("gw") or 0) if worker.startswith("gw") else 0


def with_path(url: str, path: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{path}"))


def address_of(url: str) -> dict[str, str]:
    """What amqp's `Connection` takes."""
    parts = urlsplit(url)
    return {
        "host": f"{parts.hostname}:{parts.port}",
        "userid": unquote(parts.username or ""),
        "password": unquote(parts.password or ""),
        "virtual_host": unquote(parts.path.removeprefix("/")),
    }


WORKER = number(os.environ.get("PYTEST_XDIST_WORKER", ""))
DATABASE = f"smsgw_test{WORKER}"
if all(GIVEN.values()):
    os.environ["DATABASE_URL"] = with_path(GIVEN["DATABASE_URL"], DATABASE)
    os.environ["RABBITMQ_URL"] = with_path(GIVEN["RABBITMQ_URL"], f"test{WORKER}")
    os.environ["REDIS_URL"] = with_path(GIVEN["REDIS_URL"], str(WORKER + 1))


def pytest_configure() -> None:
    missing = [name for name, url in GIVEN.items() if not url]
    if missing:
        raise pytest.UsageError(f"{', '.join(missing)} not set: run these tests by ./smsgw test integration")
    if WORKER > 3:
        raise pytest.UsageError("There are virtual hosts for four parallel processes: use -n 4 or fewer")


@pytest.fixture(scope="session")
def database_url() -> str:
    """An empty database that is this process's alone."""
    # Not by way of the given one: a parallel process inherits what its parent has narrowed already.
    with psycopg.connect(with_path(GIVEN["DATABASE_URL"], "postgres"), autocommit=True) as connection:
        name = sql.Identifier(DATABASE)
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))
        connection.execute(sql.SQL("CREATE DATABASE {}").format(name))
    return os.environ["DATABASE_URL"]


@pytest.fixture(scope="session")
def rabbitmq_url() -> str:
    """A virtual host that is this process's alone, without the contract's queues and exchanges."""
    url = os.environ["RABBITMQ_URL"]
    with amqp.Connection(**address_of(url)) as connection:
        channel = connection.channel()
        for queue in (*(each.name for each in topology.QUEUES), *topology.CELERY_QUEUES):
            channel.queue_delete(queue)
        for exchange in (*topology.EXCHANGES, topology.CELERY_EXCHANGE):
            channel.exchange_delete(exchange)
    return url


@pytest.fixture(scope="session")
def redis_url() -> str:
    """An empty Redis database that is this process's alone."""
    url = os.environ["REDIS_URL"]
    with Redis.from_url(url) as client:
        client.flushdb()
    return url
