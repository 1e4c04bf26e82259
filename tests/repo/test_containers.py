"""That the containers run what `./smsgw up` runs, are told what the code reads, and are made of what is there."""

import json
import re
import subprocess
from fnmatch import fnmatch
from ipaddress import ip_address, ip_network

import pytest
from compose import Compose, Dockerfile

from sms_backend.core.environment import Environment
from sms_gateway.settings import Settings
from sms_stack.instance import SERVER_B_ONLY

_INFRASTRUCTURE = {"proxy", "prepare", "postgresql", "rabbitmq", "redis"}
#: Said by the images, or of no use where each process has a machine of its own.
_NOT_HANDED_ON = {
    "PROMETHEUS_MULTIPROC_DIR",
    "SMSGW_GATEWAY_HOST",
    "SMSGW_GATEWAY_PORT",
    "SMSGW_WEB_HOST",
    "SMSGW_WEB_PORT",
    "SMSGW_INTAKE_INSTANCE",
}


@pytest.fixture(scope="session")
def compose(root):
    return Compose(root)


@pytest.fixture(scope="session")
def secrets(root):
    """What `deploy/docker/new-secrets` prints."""
    done = subprocess.run(["sh", root / "deploy/docker/new-secrets"], capture_output=True, text=True, check=True)
    return dict(line.split("=", 1) for line in done.stdout.splitlines() if not line.startswith("#"))


@pytest.fixture(params=["gateway", "backend"])
def dockerfile(request, root):
    return Dockerfile(root / "deploy" / "docker" / f"{request.param}.Dockerfile")


def words(command) -> list[str]:
    """A command without the interpreter before it, nor the place of beat's file."""
    plain = [str(word) for word in command]
    if plain[1:2] == ["-m"]:
        plain = plain[2:]
    return [word for word in plain if not word.endswith(("schedule", "schedule.db"))]


def seconds(duration: str) -> int:
    return int(duration.removesuffix("s"))


def test_each_process_has_its_container_with_the_same_command(compose, root, programs):
    assert set(compose.services) == set(programs) | _INFRASTRUCTURE
    default = Dockerfile(root / "deploy/docker/gateway.Dockerfile").all("CMD")[0]
    for name, program in programs.items():
        command = compose.services[name].get("command") or json.loads(default)
        assert sorted(words(command)) == sorted(words(program.command)), name


def test_each_has_as_long_to_stop_as_it_needs(compose, programs):
    for name, program in programs.items():
        assert seconds(compose.services[name]["stop_grace_period"]) >= program.stop_seconds, name


def test_every_setting_reaches_the_server_that_reads_it_and_no_other(compose):
    gateway = {str(field.validation_alias or f"SMSGW_{name}").upper() for name, field in Settings.model_fields.items()}
    backend = {name.upper() for name in Environment.model_fields}
    for service, definition in compose.services.items():
        if definition.get("image", "").startswith("smsgw-"):
            told = set(definition["environment"])
            # A setting that is missing here belongs into compose.yaml, with its name alone.
            assert told - {"SMSGW_INTAKE_INSTANCE"} == (gateway if service == "gateway" else backend) - _NOT_HANDED_ON, service


def test_the_secrets_that_are_made_are_enough_and_good(compose, secrets, monkeypatch):
    for name in {*Environment.model_fields, "prometheus_multiproc_dir"}:
        monkeypatch.delenv(name.upper(), raising=False)
    Environment(**{name.lower(): value for name, value in compose.environment("web", secrets).items()})
    for name, value in compose.environment("gateway", secrets).items():
        monkeypatch.setenv(name, value)
    settings = Settings()
    assert settings.key_pepper.get_secret_value() == secrets["SMSGW_KEY_PEPPER"]
    assert all(len(value) >= 32 for value in secrets.values())
    assert len(set(secrets.values())) == len(secrets)


def test_the_gateway_is_told_no_secret_of_server_b(compose, secrets):
    told = compose.environment("gateway", secrets)
    assert not {"DATABASE_URL", *SERVER_B_ONLY} & set(told)
    assert "outside" not in compose.services["gateway"]["networks"]


def test_every_variable_stands_in_the_example(compose, texts, secrets):
    example = next(text for path, text in texts.items() if path.name == ".env.example")
    known = set(re.findall(r"^#(\w+)=", example, re.MULTILINE))
    assert {name for name, _, _ in compose.variables()} - known == set()
    assert {name for name, operator, _ in compose.variables() if operator == ":?"} == set(secrets)


def test_every_mounted_file_is_there(compose, root):
    mounts = [mount for service in compose.services.values() for mount in service.get("volumes", []) if mount.startswith("./")]
    assert len(mounts) >= 6
    assert [mount for mount in mounts if not (root / mount.split(":")[0]).is_file()] == []
    assert [mount for mount in mounts if not mount.endswith(":ro")] == []


def test_both_servers_trust_the_proxy_and_nobody_else(compose, secrets):
    proxy = compose.services["proxy"]["networks"]["inside"]["ipv4_address"]
    assert compose.environment("gateway", secrets)["SMSGW_GATEWAY_TRUSTED_PROXIES"] == proxy
    assert compose.environment("web", secrets)["SMSGW_WEB_TRUSTED_PROXIES"] == proxy
    subnet = ip_network(compose.document["networks"]["inside"]["ipam"]["config"][0]["subnet"])
    fixed = [compose.services[name]["networks"]["inside"]["ipv4_address"] for name in ("proxy", "gateway", "web")]
    assert len(set(fixed)) == 3
    assert all(ip_address(address) in subnet for address in fixed)


def test_the_proxy_reaches_the_ports_that_the_servers_listen_on(compose, root):
    upstreams = dict(re.findall(r"server (\w+):(\d+);", (root / "deploy/docker/nginx.conf").read_text()))
    listening = {
        "gateway": Dockerfile(root / "deploy/docker/gateway.Dockerfile").environment()["SMSGW_GATEWAY_PORT"],
        "web": Dockerfile(root / "deploy/docker/backend.Dockerfile").environment()["SMSGW_WEB_PORT"],
    }
    assert upstreams == listening
    assert re.findall(r":(\d+)\"", str(compose.services["proxy"]["ports"]).replace("'", '"')) == ["8080"]


def test_everything_is_limited_and_can_be_seen_to_be_well(compose):
    for name, service in compose.services.items():
        limits = service["deploy"]["resources"]["limits"]
        assert set(limits) == {"cpus", "memory"}, name
        assert "healthcheck" in service or name == "gateway", name  # whose image has one
        assert service["restart"] == ("no" if name == "prepare" else "unless-stopped"), name


def test_our_containers_may_as_little_as_they_need(compose):
    for name in {*compose.services} - {"postgresql", "rabbitmq"}:
        service = compose.services[name]
        assert service["read_only"], name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
    assert compose.document["networks"]["inside"]["internal"]
    for name in ("postgresql", "rabbitmq", "redis", "intake", "beat"):
        assert compose.services[name]["networks"] == ["inside"], name


def test_an_image_is_made_of_what_is_there_and_no_more(dockerfile, root, tree):
    copied = [word for line in dockerfile.all("COPY", 0) for word in line.split()[:-1]]
    assert [source for source in copied if not (root / source).exists()] == []
    ignored = dockerfile.path.with_name(dockerfile.path.name + ".dockerignore").read_text().split()
    assert ignored[0] == "*"
    assert sorted(line.removeprefix("!") for line in ignored if line.startswith("!")) == sorted(copied)
    sent = [path for path in tree if any(path.is_relative_to(source) for source in copied)]
    left_out = [line.removeprefix("**/") for line in ignored if line.startswith("**/")]
    assert all((root / path.parts[0]).exists() for path in sent)
    assert {"tests"} <= set(left_out)


def test_a_server_does_not_run_as_root_nor_with_tools_to_build(dockerfile):
    assert dockerfile.all("USER") == ["10001:10001"]
    last = " ".join(dockerfile.all("RUN"))
    assert not any(fnmatch(last, f"*{tool}*") for tool in ("pip ", "uv ", "apt-get", "gcc"))
    assert dockerfile.all("COPY") == ["--from=build /opt/smsgw /opt/smsgw"]
    assert dockerfile.all("HEALTHCHECK")


def test_images_have_a_python_that_the_project_is_for(dockerfile, root):
    base = {line.split()[0] for stage in (0, 1) for line in dockerfile.all("FROM", stage)}
    assert len(base) == 1
    minor = int(re.match(r"python:3\.(\d+)-slim", base.pop())[1])
    least = int(re.search(r'requires-python = ">=3\.(\d+)"', (root / "pyproject.toml").read_text())[1])
    assert minor >= least
