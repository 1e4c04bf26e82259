"""The trace of a message."""

from sms_contract.trace import trace_id

_ID = "0192f0c1-7a2b-7c3d-8e4f-0123456789ab"


def test_the_callers_trace_is_gone_on_with():
    assert trace_id("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", _ID) == "4bf92f3577b34da6a3ce929d0e0e4736"


def test_without_one_the_message_is_its_own_trace():
    assert trace_id(None, _ID) == "0192f0c17a2b7c3d8e4f0123456789ab"
