"""What is mistyped is answered by one sentence that says what to do."""

import json

import pytest

from sms_stack import commands, tiers


def run(monkeypatch, *words: str) -> int:
    monkeypatch.setattr("sys.argv", ["smsgw", *words])
    return commands.main()


def test_an_unknown_command_names_help(monkeypatch, capsys):
    assert run(monkeypatch, "frobnicate") == 2
    captured = capsys.readouterr()
    assert "No such command 'frobnicate'" in captured.err
    assert "./smsgw help" in captured.err
    assert captured.out == ""


@pytest.mark.parametrize("words", [("up", "--frob"), ("status", "extra"), ("bench", "everything"), ("bench",)])
def test_a_wrong_argument_is_one_sentence_and_exit_code_2(monkeypatch, capsys, words):
    assert run(monkeypatch, *words) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("smsgw: ")
    assert "Traceback" not in captured.err


def test_help_names_every_command(monkeypatch, capsys):
    assert run(monkeypatch) == 0
    told = capsys.readouterr().out
    for command in ("demo", "up", "down", "restart", "status", "logs", "test", "lint", "bench", "manage", "help"):
        assert f"./smsgw {command}" in told


def test_help_for_the_proofs_names_the_tiers_and_runs_none(monkeypatch, capsys):
    assert run(monkeypatch, "test", "--help") == 0
    told = capsys.readouterr().out
    assert {*tiers.DEFAULT, "console", "fuzz"} <= set(told.replace(",", " ").split())


def test_an_operators_command_without_a_system_says_how_to_start_it(monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("SMSGW_HOME", str(tmp_path / "nothing"))
    assert run(monkeypatch, "manage", "client", "list") == 1
    assert "./smsgw up" in capsys.readouterr().err


def test_status_of_nothing_is_one_document_and_exit_code_0(monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("SMSGW_HOME", str(tmp_path / "nothing"))
    assert run(monkeypatch, "status", "--json") == 0
    assert json.loads(capsys.readouterr().out)["ready"] is False


def test_with_json_an_error_is_a_document_too(monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("SMSGW_HOME", str(tmp_path / "nothing"))
    monkeypatch.setenv("REDIS_URL", "http://nonsense")
    assert run(monkeypatch, "up", "--json") == 1
    assert "REDIS_URL" in json.loads(capsys.readouterr().out)["error"]


@pytest.mark.parametrize(
    ("words", "names", "rest"),
    [
        ([], list(tiers.DEFAULT), []),
        (["unit"], ["unit"], []),
        (["unit", "e2e", "-k", "unit"], ["unit", "e2e"], ["-k", "unit"]),
        (["-x"], list(tiers.DEFAULT), ["-x"]),
    ],
)
def test_tiers_come_first_and_the_rest_is_pytests(words, names, rest):
    assert tiers.split(words) == (names, rest)


def test_tests_do_not_inherit_anybodys_services(monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgresql://production/")
    monkeypatch.setenv("SMSGW_KEY_PEPPER", "production")
    assert not {"DATABASE_URL", "SMSGW_KEY_PEPPER"} & tiers.own_environment().keys()
