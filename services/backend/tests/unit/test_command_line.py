"""What an operator reads who types a command wrongly: which word is wrong, and what would be right; nothing is connected to."""

import io
import re

import pytest
from django.core.management import call_command, get_commands, load_command_class
from django.core.management.base import CommandError

from sms_backend.core.operator import DJANGOS, Error
from sms_providers.registry import ADAPTERS


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("client", "the following arguments are required: VERB"),
        ("client lst", "invalid choice: 'lst' (choose from"),
        ("client add", "the following arguments are required: NAME"),
        ("client add acme --daily-quota x", "argument --daily-quota: invalid int value: 'x'"),
        ("client set acme --rate abc", "argument --rate: invalid float value: 'abc'"),
        ("client suspend", "the following arguments are required: CLIENT"),
        ("key add acme --mode prod", "argument --mode: invalid choice: 'prod' (choose from"),
        ("key revoke", "the following arguments are required: KEY_ID"),
        ("provider add alpha", "the following arguments are required: --adapter"),
        ("provider set alpha --priority high", "argument --priority: invalid int value: 'high'"),
        ("provider set alpha --low-balance little", "argument --low-balance: invalid float value: 'little'"),
        ("provider test alpha", "the following arguments are required: --to"),
        ("adapter show", "the following arguments are required: NAME"),
        ("webhook add acme", "the following arguments are required: URL"),
        ("webhook rotate acme --overlap 5x", "'5x' is no duration; give a number and s, m, h, d or w, such as 30d"),
        ("webhook replay abc --since 999999w", "'999999w' is too long; give a hundred years at most"),
        ("message show", "the following arguments are required: TRACKING_ID"),
        ("parked show x", "argument ID: give a whole number from 1 to 9223372036854775807"),
        ("pause --lane fast", "argument --lane: invalid choice: 'fast' (choose from"),
        ("resume --client", "argument --client: expected one argument"),
        ("projection rebuild --seconds soon", "argument --seconds: invalid float value: 'soon'"),
        ("recover", "the following arguments are required: --since"),
        ("route explain --client acme", "the following arguments are required: --to"),
        ("number add +447900000001", "the following arguments are required: --client"),
        ("suppression import acme", "the following arguments are required: FILE|-"),
        ("console user fly eve", "invalid choice: 'fly' (choose from"),
    ],
)
def test_a_word_that_is_missing_or_wrong_is_named(typed, told):
    with pytest.raises(CommandError) as refused:
        call_command(*typed.split())
    assert told in str(refused.value)


def test_a_word_that_a_verb_does_not_know_is_told_with_what_the_verb_takes(capsys):
    command = load_command_class(get_commands()["webhook"], "webhook")
    with pytest.raises(SystemExit):
        command.run_from_argv(["smsgw manage", "webhook", "replay", "abc", "--since", "1h", "--endpoint", "def"])
    told = capsys.readouterr().err
    assert "unrecognized arguments: --endpoint def" in told
    assert "usage: smsgw manage webhook replay" in told
    assert "--since" in told


@pytest.mark.parametrize("name", ["client", "pause", "recover", "prepare"])
def test_help_is_about_the_command_alone(name):
    said = load_command_class(get_commands()[name], name).create_parser("smsgw manage", name).format_help()
    assert not [option for option in DJANGOS if option in said.split()]
    assert "--help" in said


def test_the_list_of_adapters_says_what_they_can():
    out = io.StringIO()
    call_command("adapter", "list", stdout=out)
    head, *lines = (re.split(r"  +", line) for line in out.getvalue().splitlines())
    found = {line[0]: dict(zip(head, line, strict=True)) for line in lines}
    assert set(found) == set(ADAPTERS)
    assert (found["twilio"]["reports"], found["twilio"]["look up"], found["twilio"]["balance"]) == ("pushed", "no", "yes")
    assert (found["magfa"]["reports"], found["magfa"]["look up"], found["sns"]["reports"]) == ("polled", "yes", "none")


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("adapter show nope", "there is no adapter 'nope'; there are "),
        ("recover --since yesterday", "'yesterday' is no moment; write one as 2026-11-25T03:00:00Z"),
        ("recover --since 2026-11-25T03:00:00", "say in which time zone"),
        ("privacy erase 0791", "give E.164, such as +447911123456"),
        ("console user add", "`console user add` needs to know whose"),
        ("client show \udcff", "client: it is not UTF-8"),
        ("webhook add acme https://x.example --type a --type \udcff", "type: it is not UTF-8"),
    ],
)
def test_what_can_be_judged_without_the_database_is(typed, told):
    with pytest.raises(Error) as refused:
        call_command(*typed.split())
    assert told in str(refused.value)
    assert refused.value.returncode in {1, 2}
