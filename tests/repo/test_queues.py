"""Every queue has somebody who reads it, and a size."""

import json
import re

from sms_contract import topology


def read_by_workers(programs) -> list[str]:
    commands = [program.command for program in programs.values() if "-Q" in program.command]
    return [queue for command in commands for queue in command[command.index("-Q") + 1].split(",")]


def test_every_hint_is_read_by_exactly_one_kind_of_worker(programs):
    assert sorted(read_by_workers(programs)) == sorted(topology.CELERY_QUEUES)


def test_intake_reads_what_the_gateway_publishes_and_the_dead_letters(programs, sources):
    assert "intake" in programs
    consumer = next(text for path, text in sources.items() if path.parts[-2:] == ("pipeline", "consumer.py"))
    assert "(*topology.INTAKE_QUEUES, topology.PARKED_QUEUE)" in consumer
    published = {topology.submissions_queue(lane) for lane in topology.DISPATCH} | {topology.CALLBACKS, topology.CONTROL}
    assert published == {queue.name for queue in topology.INTAKE_QUEUES}
    assert {queue.name for queue in topology.QUEUES} == published | {topology.PARKED}


def test_every_queue_has_exactly_one_policy(root):
    policies = json.loads((root / "deploy/rabbitmq/policies.json").read_text())["policies"]
    names = [queue.name for queue in topology.QUEUES] + list(topology.CELERY_QUEUES)
    assert {name: sum(bool(re.search(policy["pattern"], name)) for policy in policies) for name in names} == dict.fromkeys(names, 1)
