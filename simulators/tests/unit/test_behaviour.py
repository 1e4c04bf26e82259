"""Misbehaviour is repeatable: by order, by recipient, by share."""

from collections import Counter

import msgspec
import pytest

from sms_simulators.behaviour import Action, Behaviour, Decider

A, B = "+447911123456", "+15005550006"


def decider(**behaviour):
    return Decider(msgspec.convert(behaviour, Behaviour))


def actions(subject, *recipients):
    return [subject.decide(to).action.value for to in recipients]


def statuses(subject):
    return [step.status for step in subject.steps(subject.reports(subject.decide(A)))]


def test_by_default_all_is_accepted_at_once_and_reported_delivered():
    subject = decider()
    assert actions(subject, A, B) == ["accept", "accept"]
    assert subject.latency(subject.decide(A)) == 0
    assert statuses(subject) == ["sent", "delivered"]


def test_the_first_rule_that_applies_decides():
    subject = decider(rules=[{"action": "refuse", "to": [A]}, {"action": "silence", "to": ["+447*"]}, {"action": "reset", "to": ["+44*"]}])
    assert actions(subject, A, "+447900000000", "+441632960000", B) == ["refuse", "silence", "reset", "accept"]


def test_the_first_few_may_be_refused():
    subject = decider(rules=[{"action": "refuse", "first": 2}])
    assert actions(subject, A, B, A, B) == ["refuse", "refuse", "accept", "accept"]


def test_the_first_few_of_each_recipient_may_be_refused():
    subject = decider(rules=[{"action": "refuse", "first": 1, "per_recipient": True}])
    assert actions(subject, A, B, A, B) == ["refuse", "refuse", "accept", "accept"]
    subject = decider(rules=[{"action": "refuse", "first": 1, "to": [A]}])
    assert actions(subject, B, A, A) == ["accept", "refuse", "accept"]


def test_a_share_is_kept_and_repeatable():
    rules = [{"action": "refuse", "share": 0.25}]
    first, again = (actions(decider(seed=7, rules=rules), *[A] * 2000) for _ in range(2))
    assert first == again
    assert first != actions(decider(seed=8, rules=rules), *[A] * 2000)
    assert Counter(first)["refuse"] == pytest.approx(500, abs=80)


def test_latency_is_fixed_or_between_bounds_and_a_rule_may_have_its_own():
    subject = decider(latency=[0.1, 0.2], rules=[{"to": [B], "latency": 3}])
    assert all(0.1 <= subject.latency(subject.decide(A)) <= 0.2 for _ in range(50))
    assert subject.latency(subject.decide(B)) == 3


@pytest.mark.parametrize(
    ("reports", "expected"),
    [
        ({"statuses": []}, []),
        ({"statuses": [{"status": "sent"}], "copies": 2}, ["sent", "sent"]),
        ({"order": "reversed"}, ["delivered", "sent"]),
        ({"missing": 1.0}, []),
    ],
)
def test_reports_come_as_asked(reports, expected):
    assert statuses(decider(reports=reports)) == expected


def test_reports_may_be_shuffled_and_a_rule_may_have_its_own():
    many = [{"status": str(number)} for number in range(20)]
    shuffled = statuses(decider(reports={"statuses": many, "order": "shuffled"}))
    assert sorted(shuffled, key=int) == [step["status"] for step in many] != shuffled
    assert statuses(decider(rules=[{"reports": {"statuses": [{"status": "failed"}]}}])) == ["failed"]


def test_a_share_of_signatures_is_forged():
    subject = decider(reports={"forged": 1.0})
    assert subject.forges(subject.reports(subject.decide(A)))
    assert not decider().forges(decider().behaviour.reports)


@pytest.mark.parametrize(
    "wrong", [{"colour": "red"}, {"rules": [{"action": "explode"}]}, {"latency": "soon"}, {"reports": {"statuses": ["sent"]}}]
)
def test_what_it_does_not_know_is_refused(wrong):
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(msgspec.json.encode(wrong), type=Behaviour)


def test_every_action_says_whether_it_accepts():
    assert {action for action in Action if not action.accepts} == {Action.REFUSE, Action.SILENCE, Action.RESET}
