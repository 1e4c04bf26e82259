"""What the private services are told."""

import base64
import hashlib
import json
import re

import pytest

from sms_contract import topology
from sms_stack import credentials, ports
from sms_stack.home import Home
from sms_stack.instance import Instance
from sms_stack.services import postgresql
from sms_stack.services.rabbitmq import POLICIES, VHOSTS, definitions, hashed_password


def instance(path) -> Instance:
    home = Home(path=path / "var")
    home.make()
    chosen, _ = ports.choose(home, running=(), free=lambda port: True)
    return Instance(home, credentials.load(home), chosen, {})


def test_the_password_is_hashed_as_rabbitmq_does_it_and_alike_each_time():
    hashed = base64.b64decode(hashed_password("secret"))
    assert hashed[4:] == hashlib.sha256(hashed[:4] + b"secret").digest()
    assert hashed_password("secret") == hashed_password("secret") != hashed_password("other")


def test_the_broker_has_one_user_and_every_virtual_host_has_every_policy():
    policies = json.loads(POLICIES.read_text())["policies"]
    document = definitions("secret", policies)
    assert [user["name"] for user in document["users"]] == ["smsgw"]
    assert "secret" not in json.dumps(document)
    assert len(document["policies"]) == len(policies) * len(VHOSTS)


def test_every_queue_of_the_contract_falls_under_exactly_one_policy():
    policies = json.loads(POLICIES.read_text())["policies"]
    for queue in (*(each.name for each in topology.QUEUES), *topology.CELERY_QUEUES):
        assert sum(bool(re.search(policy["pattern"], queue)) for policy in policies) == 1, queue


def test_what_can_be_dead_lettered_into_the_parking_place_is_not_parked_in_a_circle():
    parked = next(policy for policy in json.loads(POLICIES.read_text())["policies"] if policy["name"] == "sms-parked")
    assert "delivery-limit" not in parked["definition"]


def test_everything_listens_on_the_loopback_alone(tmp_path):
    it = instance(tmp_path)
    assert "bind 127.0.0.1" in it.redis.configuration()
    assert f"listeners.tcp.local = 127.0.0.1:{it.ports['rabbitmq']}" in it.rabbitmq.configuration()
    environment = it.rabbitmq.environment()
    assert "inet_dist_use_interface {127,0,0,1}" in environment["RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS"]
    assert environment["ERL_EPMD_ADDRESS"] == "127.0.0.1"


def test_redis_keeps_what_it_is_told_and_evicts_nothing(tmp_path):
    configuration = instance(tmp_path).redis.configuration()
    for line in ("appendonly yes", "appendfsync everysec", "auto-aof-rewrite-min-size 256mb", "maxmemory-policy noeviction"):
        assert line in configuration


@pytest.mark.parametrize(
    ("version", "needs", "method"), [("15.18", "liblz4.so.1", "lz4"), ("15.18", "libz.so", "on"), ("14.9", "liblz4.so.1", "on")]
)
def test_postgresql_makes_whole_pages_smaller_by_lz4_where_it_can(tmp_path, version, needs, method):
    server = tmp_path / "postgres"
    server.write_text(f"#!/bin/sh\n# {needs}\necho 'postgres (PostgreSQL) {version}'\n")
    server.chmod(0o755)
    assert postgresql.compressed(tmp_path) == {"wal_compression": method}
