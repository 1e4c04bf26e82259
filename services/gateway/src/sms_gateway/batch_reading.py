"""
Reading a batch: every message of it judged alone, in the order that the API promises for one.

What is wrong with the request as a whole, or with its `defaults` in themselves, refuses all of it.
"""

import asyncio
import hashlib
from typing import Any, Final

import msgspec

from sms_gateway.directory import Principal, Providers
from sms_gateway.drafts import Draft, checked
from sms_gateway.json_body import refuse_repeated
from sms_gateway.problems import Mistake, Problem
from sms_gateway.schema import SendMessage
from sms_gateway.schema_batches import ItemError, SendBatch
from sms_gateway.validation import further, mistakes_of, refusal

#: Messages after which others get their turn of the loop.
STRETCH: Final = 50

_PATH: Final = b"POST /v1/batches "
#: Fields that only a look at their content can judge (see `validation`).
_RICH: Final = ("metadata", "callback_url", "send_at")
#: The field that a code speaks of, by what the code begins with.
_FIELDS: Final = {"recipient": "to", "sender": "from", "provider": "providers", "content": "text"}
_NO_DRY_RUN: Final = Mistake("/dry_run", "unknown", "A batch has no dry run.")

_canonical = msgspec.json.Encoder(order="deterministic").encode


class Reading(msgspec.Struct, kw_only=True):
    """What was asked for, message by message."""

    drafts: dict[int, Draft]  #: by index; some may hold a refusal that an earlier admission overrules
    errors: dict[int, ItemError]


def read_batch(value: Any) -> SendBatch:
    """The request in parsed JSON. Raises `Problem`."""
    try:
        batch = msgspec.convert(value, SendBatch)
    except msgspec.ValidationError:
        raise refusal(SendBatch, value, more=_nothing_more) from None
    defaults = _defaults(batch)
    mistakes = [mistake for mistake in mistakes_of(SendMessage, defaults) if mistake.code != "required"]
    known = {mistake.pointer for mistake in mistakes}
    mistakes += [mistake for mistake in further(defaults) if mistake.pointer not in known]
    if "dry_run" in defaults:
        mistakes.append(_NO_DRY_RUN)
    if mistakes:
        placed = [Mistake(f"/defaults{mistake.pointer}", mistake.code, mistake.detail) for mistake in mistakes]
        raise Problem("request.invalid", errors=placed)
    return batch


def fingerprint_of(value: Any, body: bytes) -> str:
    """SHA-256 of method, path and the parsed body before defaults. Raises `Problem` where the body has a name twice."""
    written = _canonical(value)
    refuse_repeated(body, written)
    return hashlib.sha256(_PATH + written).hexdigest()


async def judge(
    batch: SendBatch,
    principal: Principal,
    providers: Providers,
    *,
    fingerprint: str,
    idempotency: str | None,
    now_ms: int,
    suspicious: bool,
) -> Reading:
    """Judge each message; `suspicious`: there is a NUL somewhere."""
    reading = Reading(drafts={}, errors={})
    defaults = _defaults(batch)
    for index, item in enumerate(batch.messages):
        if index % STRETCH == STRETCH - 1:
            await asyncio.sleep(0)
        try:
            request = _request(defaults, item, suspicious=suspicious)
            reading.drafts[index] = checked(request, principal, providers, fingerprint=fingerprint, idempotency=idempotency, now_ms=now_ms)
        except Problem as problem:
            reading.errors[index] = error_of(problem, index, defaults, item)
    return reading


def refused_items(reading: Reading, batch: SendBatch) -> tuple[dict[int, ItemError], Problem | None]:
    """The errors of all messages that cannot be accepted now, and the problem of the whole where there is no way for any."""
    errors = dict(reading.errors)
    no_route: Problem | None = None
    defaults = _defaults(batch)
    for index, draft in reading.drafts.items():
        problem = draft.refusal or draft.no_route
        if problem is None:
            continue
        no_route = no_route or draft.no_route
        errors[index] = error_of(problem, index, defaults, batch.messages[index])
    return errors, no_route


def error_of(problem: Problem, index: int, defaults: dict[str, Any], item: Any) -> ItemError:
    """A problem as one message's error, which points to where the message got the field from."""

    def place(field: str) -> str:
        inherited = field in defaults and isinstance(item, dict) and field not in item
        return f"/defaults/{field}" if inherited else f"/messages/{index}/{field}"

    if problem.errors:
        first = problem.errors[0]
        field, slash, rest = first.pointer.lstrip("/").partition("/")
        pointer = place(field) + slash + rest if field else f"/messages/{index}"
        return ItemError(code=problem.code, detail=first.detail, pointer=pointer)
    named = _FIELDS.get(problem.code.partition(".")[0])
    return ItemError(code=problem.code, detail=problem.detail, pointer=place(named) if named else f"/messages/{index}")


def _request(defaults: dict[str, Any], item: Any, *, suspicious: bool) -> SendMessage:
    if not isinstance(item, dict):
        raise refusal(SendMessage, item, more=further)
    merged = defaults | item
    if "dry_run" in item:
        raise Problem("request.invalid", errors=[_NO_DRY_RUN])
    try:
        request = msgspec.convert(merged, SendMessage)
    except msgspec.ValidationError:
        raise refusal(SendMessage, merged, more=further) from None
    if suspicious or any(name in merged for name in _RICH):
        mistakes = further(merged)
        if mistakes:
            raise Problem("request.invalid", errors=mistakes)
    return request


def _defaults(batch: SendBatch) -> dict[str, Any]:
    return {} if isinstance(batch.defaults, msgspec.UnsetType) else batch.defaults


def _nothing_more(_: dict[str, Any]) -> list[Mistake]:
    return []
