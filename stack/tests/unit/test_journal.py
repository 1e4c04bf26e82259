"""Following one message through the logs of all processes."""

import json

import pytest

from sms_stack import journal
from sms_stack.errors import StackError
from sms_stack.home import Home

ID = "0192f0c1-7a2b-7c3d-8e4f-0123456789ab"
OTHER = "0192f0c1-7a2b-7c3d-8e4f-ffffffffffff"


@pytest.fixture
def home(tmp_path):
    home = Home(path=tmp_path)
    home.make()
    return home


def write(home, file, *lines):
    (home.logs / file).write_text("".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines))


def test_every_process_is_heard_in_the_order_of_time(home):
    write(home, "worker.log", {"timestamp": "2026-01-01T00:00:03", "event": "attempt.settled", "tracking_id": ID})
    write(home, "gateway.log.1", {"timestamp": "2026-01-01T00:00:01", "event": "message.accepted", "tracking_id": ID})
    write(home, "gateway.log", {"timestamp": "2026-01-01T00:00:05", "event": "message.accepted", "tracking_id": OTHER})
    found = journal.about(home, ID)
    assert [(entry.process, entry.fields["event"]) for entry in found] == [("gateway", "message.accepted"), ("worker", "attempt.settled")]


def test_of_a_line_about_many_only_the_one_is_told(home):
    write(home, "intake.log", {"timestamp": "2026-01-01T00:00:02", "event": "intake.stored", "tracking_ids": [OTHER, ID]})
    assert journal.about(home, ID)[0].document["tracking_ids"] == [ID]


def test_what_is_no_json_is_passed_over(home):
    write(home, "worker.log", f'{{"event": "cut off", "tracking_id": "{ID}', f'["{ID}"]', {"event": "whole", "tracking_id": ID})
    assert [entry.fields["event"] for entry in journal.about(home, ID)] == ["whole"]


@pytest.mark.parametrize("wanted", ["+447700900123", "", "0192f0c1", ID.upper()])
def test_what_is_no_id_is_refused(home, wanted):
    with pytest.raises(StackError, match="no tracking id"):
        journal.about(home, wanted)


def test_nothing_found_says_where_to_look_instead(home):
    write(home, "worker.log", {"event": "whole", "tracking_id": OTHER})
    with pytest.raises(StackError, match=f"manage message show {ID}"):
        journal.about(home, ID)
