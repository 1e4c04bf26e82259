"""What goes over Celery: a hint that there may be work, and nothing about whom."""

import inspect

from sms_backend.config.celery import app
from sms_backend.pipeline import tasks
from sms_backend.pipeline.schedule import SCHEDULE

#: All that a task may be told.
_HARMLESS = {"lane", "slot"}


def ours() -> dict[str, set[str]]:
    app.loader.import_default_modules()
    return {name: set(inspect.signature(task.run).parameters) for name, task in app.tasks.items() if not name.startswith("celery.")}


def test_a_task_is_told_a_lane_or_nothing():
    known = ours()
    assert len(known) >= 5
    assert {name: told - _HARMLESS for name, told in known.items() if told - _HARMLESS} == {}


def test_ticks_carry_lanes_or_nothing():
    for name, tick in SCHEDULE.items():
        assert set(tick.get("kwargs", {})) <= _HARMLESS, name
        assert set(tick.get("args", ())) <= {"otp", "transactional", "promotional"}, name
    assert inspect.getmodule(tasks)
