"""The broker's definitions that a container starts with, taken by a real RabbitMQ."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from sms_stack import credentials, ports
from sms_stack.home import ROOT, Home
from sms_stack.instance import Instance


@pytest.fixture
def definitions(tmp_path) -> Path:
    """What `start-rabbitmq` writes, with this instance's own password, so that nobody is locked out."""
    entry = tmp_path / "docker-entrypoint.sh"
    entry.write_text('#!/bin/sh\necho "$@"\n')
    entry.chmod(0o755)
    environment = {
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "RABBITMQ_PASSWORD": credentials.load(Home(path=Path(os.environ["SMSGW_HOME"]))).rabbitmq,
        "POLICIES": str(ROOT / "deploy/rabbitmq/policies.json"),
        "DEFINITIONS": str(tmp_path / "definitions.json"),
    }
    done = subprocess.run(["sh", ROOT / "deploy/docker/start-rabbitmq"], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "rabbitmq-server\n"
    return tmp_path / "definitions.json"


def test_rabbitmq_takes_our_user_and_every_policy(definitions):
    home = Home(path=Path(os.environ["SMSGW_HOME"]))
    broker = Instance(home, credentials.load(home), ports.kept(home), {}).rabbitmq

    def control(*command: str) -> str:
        environment = {**broker.environment(), "PATH": os.environ["PATH"]}
        program = ["/usr/lib/rabbitmq/bin/rabbitmqctl", "--quiet", *command]
        done = subprocess.run(program, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    control("import_definitions", str(definitions))
    wanted = {policy["name"] for policy in json.loads((ROOT / "deploy/rabbitmq/policies.json").read_text())["policies"]}
    listed = json.loads(control("--formatter", "json", "list_policies", "--vhost", "smsgw"))
    assert {policy["name"] for policy in listed} == wanted
    users = json.loads(control("--formatter", "json", "list_users"))
    assert {"user": "smsgw", "tags": ["monitoring"]} in users


def test_a_password_that_would_break_the_url_is_refused(tmp_path):
    environment = {"PATH": os.environ["PATH"], "RABBITMQ_PASSWORD": 'a"b', "DEFINITIONS": str(tmp_path / "definitions.json")}
    done = subprocess.run(["sh", ROOT / "deploy/docker/start-rabbitmq"], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "letters, digits" in done.stderr
    assert not (tmp_path / "definitions.json").exists()
