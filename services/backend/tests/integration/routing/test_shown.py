"""What `message show` says of attempts: how to ask the provider about each."""

from typing import Any

from sms_backend.pipeline.dispatch import dispatch
from sms_providers.errors import UnavailableError


def test_an_attempt_is_shown_with_our_reference_and_the_providers_id(vendor: Any, live: Any, manage: Any, manage_json: Any) -> None:
    vendor.add("alpha", priority=2)
    vendor.add("beta", priority=1)
    vendor.says("alpha", UnavailableError("busy"))
    made = live()
    dispatch("transactional", until=0)
    dispatch("transactional", until=0)
    first, second = manage_json("message", "show", made.tracking_id)["attempts"]
    assert (first["provider"], first["reference"], first["provider_message_id"]) == ("alpha", made.tracking_id, None)
    assert (second["provider"], second["reference"], second["provider_message_id"]) == ("beta", f"{made.tracking_id}.2", "beta-2")
    assert [sms.reference for _, sms in vendor.got] == [first["reference"], second["reference"]]
    shown = manage("message", "show", made.tracking_id)
    assert f"reference={made.tracking_id}.2" in shown
    assert "provider_message_id=beta-2" in shown
