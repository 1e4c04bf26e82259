"""
As far as containers can be checked where none can be built: linted, read by Compose, and each image's environment made and run here.

`./smsgw test containers`. The environment is made by the same instruction of the Dockerfile, from the same files, and the image's own command and
health check run in it, against services that are away: a server must be alive all the same.
"""

import contextlib
import json
import os
import shlex
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from compose import Compose, Dockerfile

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "docker"
#: Where each server says that it listens, and what must not be in its environment.
SERVERS = {
    "gateway": ("SMSGW_GATEWAY_PORT", ("django", "celery", "psycopg", "sms_providers", "sms_backend", "pytest")),
    "backend": ("SMSGW_WEB_PORT", ("fastapi", "sms_gateway", "sms_simulators", "pytest")),
}


def secrets() -> dict[str, str]:
    done = subprocess.run(["sh", FOLDER / "new-secrets"], capture_output=True, text=True, check=True)
    return dict(line.split("=", 1) for line in done.stdout.splitlines() if not line.startswith("#"))


def uv() -> str:
    """The one that made this environment."""
    found = shutil.which("uv") or next(map(str, ROOT.glob("var/tools/**/bin/uv")), None)
    assert found, "uv is not here; ./smsgw brings it"
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module", params=SERVERS)
def built(request, tmp_path_factory):
    """The first stage, done here: (its name, its Dockerfile, the environment that it makes)."""
    place = tmp_path_factory.mktemp(request.param)
    dockerfile = Dockerfile(FOLDER / f"{request.param}.Dockerfile")
    left_out = shutil.ignore_patterns("tests", "samples", "__pycache__")
    for line in dockerfile.all("COPY", 0):
        *sources, target = line.split()
        for source in sources:
            destination = place / "src" / (source if target == "./" else target)
            destination.parent.mkdir(parents=True, exist_ok=True)
            if (ROOT / source).is_dir():
                shutil.copytree(ROOT / source, destination, ignore=left_out)
            else:
                shutil.copy(ROOT / source, destination)
    # As it is built unless somebody asks for more.
    sync = next(shlex.split(line.replace("$EXTRAS", "")) for line in dockerfile.all("RUN", 0) if line.startswith("uv sync"))
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("UV_", "VIRTUAL_ENV"))}
    environment |= dockerfile.environment(0) | {"UV_PROJECT_ENVIRONMENT": str(place / "opt"), "UV_PYTHON": sys._base_executable}
    del environment["UV_NO_CACHE"]
    done = subprocess.run([uv(), *sync[1:]], cwd=place / "src", env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    shutil.rmtree(place / "src")
    return request.param, dockerfile, place / "opt"


@pytest.mark.parametrize("name", SERVERS)
def test_the_linter_has_nothing_to_say(name):
    hadolint = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([hadolint, FOLDER / f"{name}.Dockerfile"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_compose_reads_it(tmp_path):
    """By Docker's own program, or by the one that Debian packages as docker-compose."""
    plugin = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False) if shutil.which("docker") else None
    command = ["docker", "compose"] if plugin is not None and plugin.returncode == 0 else ["docker-compose"]
    if command == ["docker-compose"] and shutil.which("docker-compose") is None:
        pytest.fail("Neither `docker compose` nor docker-compose is here. Install one, e.g.: apt-get install docker-compose")
    (tmp_path / "given").write_text("".join(f"{name}={value}\n" for name, value in secrets().items()))
    plain = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    done = subprocess.run(
        [*command, "--env-file", tmp_path / "given", "-f", ROOT / "compose.yaml", "config"],
        capture_output=True, text=True, check=False, env=plain,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "rabbitmq:5672/smsgw" in done.stdout
    refused = subprocess.run(
        [*command, "-f", ROOT / "compose.yaml", "config"], capture_output=True, text=True, check=False, env=plain, cwd=ROOT
    )
    assert refused.returncode != 0 or (ROOT / ".env").exists()
    assert "new-secrets" in refused.stderr or (ROOT / ".env").exists()


@pytest.mark.timeout(300)
def test_an_image_has_its_server_and_nothing_else(built):
    name, _, environment = built
    for module in SERVERS[name][1]:
        looked = f"import importlib.util, sys; sys.exit(importlib.util.find_spec({module!r}) is not None)"
        assert subprocess.run([environment / "bin" / "python", "-c", looked], check=False, cwd="/").returncode == 0, module
    assert not list(environment.glob("lib/python3.*/site-packages/*.egg-link"))
    assert not [path for path in environment.glob("lib/python3.*/site-packages/*.pth") if "/src" in path.read_text()]


@pytest.mark.timeout(300)
def test_its_command_serves_and_its_health_check_sees_it(built, tmp_path):
    name, dockerfile, environment = built
    port = free_port()
    told = Compose(ROOT).environment("gateway" if name == "gateway" else "web", secrets())
    away = {
        "DATABASE_URL": "postgresql://smsgw:x@127.0.0.1:1/smsgw",
        "RABBITMQ_URL": "amqp://smsgw:x@127.0.0.1:1/smsgw",
        "REDIS_URL": "redis://127.0.0.1:1/0",
    }
    variables = {
        **{key: value for key, value in dockerfile.environment().items() if key != "PATH"},
        **{key: away.get(key, value) for key, value in told.items()},
        SERVERS[name][0]: str(port),
        "PROMETHEUS_MULTIPROC_DIR": str(tmp_path / "metrics"),
        "PATH": f"{environment / 'bin'}:/usr/bin:/bin",
    }
    (tmp_path / "metrics").mkdir()
    check = json.loads(dockerfile.all("HEALTHCHECK")[0].partition("CMD ")[2].replace('\\\\"', '\\"'))
    with (tmp_path / "log").open("w+") as log:
        server = subprocess.Popen(json.loads(dockerfile.all("CMD")[0]), env=variables, cwd=tmp_path, stdout=log, stderr=log)
        try:
            assert healthy(check, variables, server), (tmp_path / "log").read_text()[-3000:]
        finally:
            server.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                server.wait(20)
            server.kill()
    assert subprocess.run(check, env=variables, capture_output=True, check=False).returncode != 0  # nobody is there any more


def healthy(check: list[str], variables: dict[str, str], server: subprocess.Popen) -> bool:
    until = time.monotonic() + 60
    while time.monotonic() < until and server.poll() is None:
        if subprocess.run(check, env=variables, capture_output=True, check=False).returncode == 0:
            return True
    return False
