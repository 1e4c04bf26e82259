"""Ports, secrets, addresses and settings of one instance."""

import json
import stat
import tempfile
from pathlib import Path

import pytest

from sms_stack import credentials, ports, status
from sms_stack.errors import BadInstance, NotUp
from sms_stack.home import Home, write_private
from sms_stack.instance import APPLICATION, Instance, masked
from sms_stack.replicas import kind_of


@pytest.fixture
def home(tmp_path) -> Home:
    home = Home(path=tmp_path / "var")
    home.make()
    return home


def always(port: int) -> bool:
    return True


def instance(home: Home, **given: str) -> Instance:
    chosen, _ = ports.choose(home, running=(), free=always)
    return Instance(home, credentials.load(home), chosen, given)


def test_ports_are_chosen_once_below_the_kernels_own_range_and_kept(home):
    first, moved = ports.choose(home, running=(), free=always)
    assert not moved
    assert set(first) == set(ports.NAMES)
    assert len(set(first.values())) == len(first)
    assert all(1024 < port < 32768 for port in first.values())
    assert ports.choose(home, running=(), free=always) == (first, [])


def test_a_kept_port_that_a_stranger_took_moves_and_is_named(home):
    first, _ = ports.choose(home, running=(), free=always)
    second, moved = ports.choose(home, running=(), free=lambda port: port != first["gateway"])
    assert second["gateway"] not in first.values()
    assert len(moved) == 1
    assert str(first["gateway"]) in moved[0]
    assert "gateway" in moved[0]
    assert {name: port for name, port in second.items() if name != "gateway"} == {n: p for n, p in first.items() if n != "gateway"}


def test_the_port_of_what_runs_is_its_own(home):
    first, _ = ports.choose(home, running=(), free=always)
    second, moved = ports.choose(home, running={"gateway"}, free=lambda port: port != first["gateway"])
    assert (second, moved) == (first, [])


def test_secrets_are_made_once_and_only_their_owner_reads_them(home):
    first = credentials.load(home)
    assert stat.S_IMODE((home.path / "secrets.json").stat().st_mode) == 0o600
    assert credentials.load(home) == first
    assert len({*vars(first).values()}) == len(vars(first))
    assert min(len(value) for value in vars(first).values()) >= 32


def test_a_secret_that_an_older_version_did_not_know_is_added(home):
    first = credentials.load(home)
    kept = {**vars(first)}
    del kept["callback_secret"]
    write_private(home.path / "secrets.json", json.dumps(kept))
    second = credentials.load(home)
    assert second.redis == first.redis
    assert second.callback_secret
    assert credentials.load(home) == second


def test_an_unreadable_secrets_file_is_not_replaced(home):
    (home.path / "secrets.json").write_text("{")
    with pytest.raises(BadInstance):
        credentials.load(home)


def test_services_are_private_unless_the_environment_names_them(home):
    private = instance(home)
    assert private.external == {}
    assert private.settings["DATABASE_URL"].startswith("postgresql://smsgw:")
    given = instance(home, DATABASE_URL="postgresql://me:pw@db.example/sms")
    assert given.external == {"postgresql": "postgresql://me:pw@db.example/sms"}
    assert given.settings["DATABASE_URL"] == "postgresql://me:pw@db.example/sms"
    assert [type(service).__name__ for service in given.private] == ["PrivateRabbitmq", "PrivateRedis"]


def test_an_address_of_the_wrong_kind_is_refused(home):
    with pytest.raises(BadInstance, match="REDIS_URL must begin with redis://"):
        _ = instance(home, REDIS_URL="http://localhost").external


def test_server_a_is_told_neither_the_database_nor_the_keys_of_the_providers(home):
    it = instance(home, SMSGW_CREDENTIAL_KEYS="k", SMSGW_LEASE="5")
    assert not {"DATABASE_URL", "SMSGW_SECRET_KEY", "SMSGW_CREDENTIAL_KEYS"} & it.gateway_settings.keys()
    assert it.gateway_settings["SMSGW_KEY_PEPPER"] == it.settings["SMSGW_KEY_PEPPER"]
    assert it.gateway_settings["PROMETHEUS_MULTIPROC_DIR"] != it.settings["PROMETHEUS_MULTIPROC_DIR"]
    assert it.settings["SMSGW_CREDENTIAL_KEYS"] == "k"
    assert it.settings["SMSGW_LEASE"] == "5"


def test_a_port_given_by_the_operator_wins_and_is_checked(home):
    assert instance(home, SMSGW_GATEWAY_PORT="8080").gateway_url == "http://127.0.0.1:8080"
    with pytest.raises(BadInstance, match="SMSGW_GATEWAY_PORT"):
        _ = instance(home, SMSGW_GATEWAY_PORT="eighty").gateway_port


def test_as_many_run_of_each_as_the_operator_asks_for(home):
    it = instance(home, SMSGW_INTAKES="2", SMSGW_WORKERS="3", SMSGW_BEATS="2")
    programs = {program.name: program for program in it.application()}
    assert list(programs) == it.application_names
    assert {"intake-2", "worker-2", "worker-3", "beat-2"} < programs.keys()
    assert "worker-otp-2" not in programs
    # Each is told apart from its like: an intake by the name that it takes over, a worker by its node, beat by its file.
    assert len({programs[name].environment["SMSGW_INTAKE_INSTANCE"] for name in ("intake", "intake-2")}) == 2
    assert programs["worker-3"].command[-1] == "worker-3@%h"
    assert programs["beat"].command != programs["beat-2"].command
    assert {kind_of(name) for name in programs} == set(APPLICATION)


@pytest.mark.parametrize("value", ["0", "-1", "many", "65"])
def test_a_number_of_processes_that_is_none_is_refused(home, value):
    with pytest.raises(BadInstance, match="SMSGW_WORKERS must be a number"):
        instance(home, SMSGW_WORKERS=value).application()


def test_what_people_see_of_an_address_has_no_password():
    assert masked("amqp://smsgw:secret@127.0.0.1:25672/smsgw") == "amqp://smsgw:***@127.0.0.1:25672/smsgw"
    assert masked("redis://:secret@h:1/0") == "redis://:***@h:1/0"
    assert masked("redis://h/0") == "redis://h/0"


def test_status_of_what_never_ran_is_not_ready(tmp_path):
    home = Home(path=tmp_path / "nothing")
    document = status.document(home)
    assert document["ready"] is False
    assert not home.path.exists()
    with pytest.raises(NotUp):
        Instance.load(home)


def test_two_homes_have_nothing_in_common(tmp_path):
    homes = [Home(path=tmp_path / name) for name in ("a", "b")]
    for each in homes:
        each.make()
    (one, _), (two, _) = (ports.choose(each, running=(), free=always) for each in homes)
    assert not set(one.values()) & set(two.values())
    assert homes[0].runtime != homes[1].runtime
    assert credentials.load(homes[0]) != credentials.load(homes[1])


def test_the_sockets_folder_is_short_closed_and_never_somebody_elses(home, monkeypatch, tmp_path):
    short = tempfile.mkdtemp(prefix="sg")
    monkeypatch.setattr(tempfile, "tempdir", short)
    home.make_runtime()
    assert home.runtime.parent == Path(short)
    assert len(str(home.runtime / "supervisor.sock")) < 107
    assert stat.S_IMODE(home.runtime.stat().st_mode) == 0o700
    # Kept, even if the next command is run with another TMPDIR.
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert home.runtime.parent == Path(short)
    home.remove_runtime()
    home.runtime.symlink_to(tmp_path)
    with pytest.raises(BadInstance, match="somebody else"):
        home.make_runtime()
    home.runtime.unlink()
    Path(short).rmdir()


def test_an_instance_of_another_user_is_left_alone(home, monkeypatch):
    credentials.load(home)
    monkeypatch.setattr("os.geteuid", lambda: 12345)
    with pytest.raises(BadInstance, match="belongs to the user"):
        credentials.load(home)


def test_a_secret_is_as_long_as_djangos_own_check_wants_it():
    assert len(credentials.Credentials().secret_key) >= 50
