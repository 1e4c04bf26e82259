"""What supervisord is told is what the programs get, whatever the settings hold."""

import configparser

import pytest
from supervisor.datatypes import dict_of_key_value_pairs
from supervisor.options import UnhosedConfigParser

from sms_stack.configuration import render
from sms_stack.errors import BadInstance
from sms_stack.home import Home
from sms_stack.programs import Program


def read(text: str) -> configparser.RawConfigParser:
    parser = UnhosedConfigParser()
    parser.read_string(text)
    return parser


def rendered(home: Home, program: Program) -> dict[str, str]:
    parser = read(render(home, home.run / "s.sock", [program]))
    return dict(parser.items(f"program:{program.name}"))


@pytest.fixture
def home(tmp_path) -> Home:
    return Home(path=tmp_path / "with blank, and % sign")


@pytest.mark.parametrize(
    "value",
    ["plain", "a,b", "postgresql://u:p%40ss@h:5/db?x=1&y=2", "it's", 'say "yes" now', "100%", "a=b==", "semi;colon#hash", ""],
)
def test_a_setting_arrives_as_it_was_given(home, value):
    program = Program(name="web", command=("true",), environment={"SETTING": value})
    # supervisord expands %(name)s after it has parsed; what is left of %% is %.
    environment = dict_of_key_value_pairs(rendered(home, program)["environment"].replace("%%", "%"))
    assert environment["SETTING"] == value
    assert environment["SMSGW_HOME"] == str(home.path)
    assert environment["SMSGW_PROGRAM"] == "web"


@pytest.mark.parametrize("value", ["two\nlines", "a ;comment", "a #comment", "both \" and ' here", "'quoted'"])
def test_a_setting_that_supervisord_would_garble_is_refused(home, value):
    with pytest.raises(BadInstance):
        render(home, home.run / "s.sock", [Program(name="web", command=("true",), environment={"SETTING": value})])


def test_a_program_ends_with_supervisord_and_starts_again_for_ever(home):
    program = Program(name="postgresql", command=("postgres", "-D", "a b"), stop_signal="INT", privileges=("--reuid=26", "--clear-groups"))
    section = rendered(home, program)
    assert section["command"] == "setpriv --reuid=26 --clear-groups --pdeathsig=INT -- postgres -D 'a b'"
    assert section["autorestart"] == "true"
    assert int(section["startretries"]) > 100_000
    assert section["stopsignal"] == "INT"
