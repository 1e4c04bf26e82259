"""That a soak sees what grows."""

import json
from dataclasses import replace

import pytest
from chaos import soak
from chaos.drawing import line
from chaos.endurance import Reading, complaints, growth, summary

CALM = Reading(
    at=0.0,
    memory={("gateway", 1): 100.0},
    connections={"postgresql": 10, "redis": 5, "rabbitmq": 6},
    dead={"messages": 10},
    live={"messages": 1000},
    partitions_ahead=6,
)


def over_an_hour(change):
    """A reading a minute; `change` says what is otherwise at each."""
    return [replace(CALM, at=minute * 60.0, **change(minute)) for minute in range(60)]


def test_what_is_flat_is_no_complaint():
    readings = over_an_hour(lambda minute: {"memory": {("gateway", 1): 100.0 + minute % 3}})
    assert complaints(readings) == []
    assert summary(readings)["memory_mb"]["gateway"]["an_hour"] == pytest.approx(0, abs=1)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda minute: {"memory": {("gateway", 1): 100.0 + minute}}, "gateway grows by 60 MB an hour"),
        (lambda minute: {"memory": {("redis", 1): 100.0 + minute}, "live": {"messages": 1000 + 100 * minute}}, "bytes a message"),
        (lambda minute: {"connections": {**CALM.connections, "redis": 5 + minute}}, "redis has 64 connections"),
        (lambda minute: {"dead": {"messages": 1000 * minute}}, "messages has 59000 dead rows"),
        (lambda minute: {"partitions_ahead": 3}, "partitions for 3 weeks only"),
    ],
)
def test_what_grows_is_a_complaint(change, said):
    assert any(said in complaint for complaint in complaints(over_an_hour(change)))


def test_who_keeps_what_was_sent_may_grow_by_it():
    readings = over_an_hour(
        lambda minute: {
            "memory": {("redis", 1): 10.0 + 3 * minute, ("simulator", 2): 50.0 + 4 * minute},
            "live": {"messages": 3000 * minute},
        }
    )
    assert complaints(readings) == []


@pytest.mark.parametrize(("complaint", "code"), [([], 0), (["gateway grows"], 1)])
def test_a_soak_in_which_something_grows_has_failed(monkeypatch, capsys, complaint, code):
    told = {"ok": 7, "held": not complaint, "complaints": complaint}
    monkeypatch.setattr(soak, "soak", lambda **_: told)
    monkeypatch.setattr("sys.argv", ["soak", "--json"])
    assert soak.main() == code
    assert json.loads(capsys.readouterr().out) == told


def test_a_process_that_was_started_anew_is_measured_anew():
    readings = over_an_hour(lambda minute: {"memory": {("gateway", minute // 10): 100.0 + minute % 10}})
    assert growth(readings) == {}


def test_a_series_is_drawn_from_nothing_to_its_greatest():
    assert line([0, 1, 2, 3, 4, 5, 6, 7]) == "▁▂▃▄▅▆▇█"
    assert line([100, 100]) == "██"
    assert (line([]), line([0, 0]), len(line(range(1000)))) == ("", "▁▁", 60)
