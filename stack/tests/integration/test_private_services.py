"""What the private services promise, asked of the real ones."""

import os

import amqp
import psycopg
import pytest
from redis import Redis

from sms_contract import topology
from sms_stack.pytest_services import address_of


def test_postgresql_loses_nothing_that_it_confirmed(database_url):
    with psycopg.connect(database_url) as connection:
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            assert connection.execute(f"SHOW {setting}").fetchone() == ("on",)
        assert connection.execute("SHOW listen_addresses").fetchone() == ("127.0.0.1",)


def test_postgresql_lets_nobody_in_without_the_password(database_url):
    wrong = database_url.replace(psycopg.conninfo.conninfo_to_dict(database_url)["password"], "wrong")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(wrong)


def test_redis_appends_to_a_file_and_evicts_nothing(redis_url):
    with Redis.from_url(redis_url, decode_responses=True) as client:
        assert client.config_get("appendonly") == {"appendonly": "yes"}
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}


def test_rabbitmq_knows_our_user_and_not_guest(rabbitmq_url):
    with amqp.Connection(**address_of(rabbitmq_url)) as connection:
        channel = connection.channel()
        # Had another run left it, declaring it otherwise would be refused.
        channel.queue_declare(topology.PARKED, durable=True, auto_delete=False, arguments=dict(topology.QUORUM))
        channel.queue_delete(topology.PARKED)
    stranger = {**address_of(rabbitmq_url), "userid": "guest", "password": "guest"}
    with pytest.raises(amqp.AccessRefused), amqp.Connection(**stranger):
        pass


def test_each_parallel_process_has_services_of_its_own(database_url, rabbitmq_url, redis_url):
    assert (os.environ["DATABASE_URL"], os.environ["RABBITMQ_URL"], os.environ["REDIS_URL"]) == (database_url, rabbitmq_url, redis_url)
    number = os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
    assert database_url.endswith(f"/smsgw_test{number}")
    assert rabbitmq_url.endswith(f"/test{number}")
    assert redis_url.endswith(f"/{int(number) + 1}")
