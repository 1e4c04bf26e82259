"""The example of a reverse proxy: read by nginx where there is one, and in words that our catalogue knows."""

import json
import re
import shutil
import subprocess

import pytest

from sms_contract.errors import CATALOGUE


@pytest.fixture
def configuration(root):
    return root / "deploy" / "proxy" / "nginx.conf"


@pytest.fixture
def server(root):
    """What goes where, for this example and for the proxy of compose.yaml."""
    return (root / "deploy" / "proxy" / "server.conf").read_text()


def test_nginx_takes_it(configuration, tmp_path):
    nginx = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
    if nginx is None:
        pytest.skip("nginx is not installed here")
    done = subprocess.run(
        [nginx, "-t", "-p", str(tmp_path), "-g", f"pid {tmp_path}/pid; error_log stderr;", "-c", str(configuration)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_its_own_answers_are_of_the_catalogue(server):
    answers = [(int(status), json.loads(body)) for status, body in re.findall(r"return (\d+) '(.+)';", server)]
    assert len(answers) == 2
    for status, body in answers:
        entry = CATALOGUE[body["code"]]
        assert (body["status"], status) == (entry.status, entry.status)
        assert (body["title"], body["retryable"], body["type"]) == (entry.title, entry.retryable, entry.type(""))


def test_each_server_gets_what_is_its(server):
    routes = dict(re.findall(r"location (/\S*) \{\s*proxy_pass http://(\w+);", server))
    assert routes == {"/": "gateway", "/v1/history/": "web", "/static/ninja/": "web"}
