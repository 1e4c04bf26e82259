"""
What schemathesis is told of us: values that get past the rules that no schema can say, and a check that nothing else refuses valid ones.

Only what is valid by the schema is replaced, so that a request made wrong on purpose stays wrong.
"""

import re
from typing import Any

import schemathesis
from schemathesis.core.parameters import ParameterLocation
from schemathesis.generation import GenerationMode

_VALID = {
    "to": (re.compile(r"\+[0-9]{7,15}"), "+15005550006"),
    "from": (re.compile(r"[^\0]+"), "FUZZ"),
    "send_at": (re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d.*"), None),
    "callback_url": (re.compile(r"https?://\S{1,2000}"), "https://example.com/status"),
}
#: Fields that may be wrong all the same: a time may be past, a URL may have no host, metadata may be too long in all, a cursor is opaque.
_BEYOND_SCHEMAS = re.compile(r"(/defaults|/messages/\d+)?/(send_at|callback_url|metadata)|/?(cursor|since|until|to)")
#: In a batch whose messages are refused one by one, for reasons of their own.
_OF_ONE_MESSAGE = re.compile(r"(recipient|sender|provider|content|route)\..+")


@schemathesis.hook
def map_body(_ctx: Any, body: Any) -> Any:
    """Have most messages accepted, so that there is something to go on with."""
    if isinstance(body, dict):
        body = _accepted(body)
        for name in ("defaults", "messages"):
            if isinstance(body.get(name), dict):
                body[name] = _accepted(body[name])
            if isinstance(body.get(name), list):
                body[name] = [_accepted(item) if isinstance(item, dict) else item for item in body[name]]
    return body


def _accepted(fields: dict[str, Any]) -> dict[str, Any]:
    made = {}
    for name, value in fields.items():
        if isinstance(value, float) and value.is_integer():
            made[name] = int(value)  # for a schema 60.0 is an integer, for us it is not
            continue
        pattern, good = _VALID.get(name, (None, None))
        if pattern is None or not isinstance(value, str) or not pattern.fullmatch(value):
            made[name] = value
        elif good is not None:
            made[name] = good
    named = made.get("providers")
    if isinstance(named, list) and len(named) <= 50 and all(isinstance(each, str) and each and "\0" not in each for each in named):
        made["providers"] = []
    return made


@schemathesis.check
def what_is_wrong_in_a_batch_is_rejected(_ctx: Any, response: Any, case: Any) -> None:
    """Fails where a batch with something wrong in its body is accepted whole."""
    if case.operation.label != "POST /v1/batches" or response.status_code != 202 or case.meta is None:
        return
    if case.meta.is_negative_at(ParameterLocation.BODY):
        assert response.json()["rejected"], response.json()


@schemathesis.check
def only_what_no_schema_can_say(_ctx: Any, response: Any, case: Any) -> None:
    """Fails where `request.invalid` names a field that the document would have to describe better."""
    if response.status_code != 422 or case.meta is None or case.meta.generation.mode is not GenerationMode.POSITIVE:
        return
    problem = response.json()
    if problem["code"] != "request.invalid":
        assert _OF_ONE_MESSAGE.fullmatch(problem["code"]) or problem["code"] == "idempotency.key_reused", problem
        return
    for mistake in problem["errors"]:
        # `to` and `text` may stand in a batch's defaults or in each message.
        if not _OF_ONE_MESSAGE.fullmatch(mistake["code"]) and mistake["detail"] != "This field is required.":
            assert _BEYOND_SCHEMAS.fullmatch(mistake["pointer"]), mistake
