"""`POST /v1/messages/preview`: what a text would become, for nothing."""

from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, Request, Response
from msgspec import UNSET

from sms_contract.segments import PART, SINGLE, not_gsm7
from sms_gateway.api.requests import must_be_json, read_body
from sms_gateway.api.resources import json_answer, with_scope
from sms_gateway.content import in_gsm7, settle
from sms_gateway.directory import Principal
from sms_gateway.problems import Problem
from sms_gateway.schema import MAX_MESSAGE
from sms_gateway.schema_batches import Preview, PreviewSegments, PreviewText
from sms_gateway.validation import read_preview

router = APIRouter()


@router.post("/v1/messages/preview")
async def preview_text(request: Request, _: Annotated[Principal, Depends(with_scope("messages:send"))]) -> Response:
    headers = dict(request.scope["headers"])
    must_be_json(headers)
    asked = read_preview(await read_body(headers, request.receive, MAX_MESSAGE))
    return json_answer(msgspec.json.encode(preview(asked)))


@router.get("/v1/messages/preview")
async def no_message() -> Response:
    # Else it would be taken for the id of a message.
    raise Problem("request.method_not_allowed", headers=[(b"allow", b"POST")])


def preview(asked: PreviewText) -> Preview:
    """How a text would be sent. Raises `Problem` where its encoding would refuse it, however long it may be."""
    content = settle(asked.text, "auto" if asked.encoding is UNSET else asked.encoding, max_segments=len(asked.text) * 4)
    segments = content.segments
    plain = in_gsm7(asked.text)
    return Preview(
        segments=PreviewSegments(
            count=segments.count,
            encoding=segments.encoding,
            characters=segments.characters,
            per_segment=(SINGLE if segments.count == 1 else PART)[segments.encoding],
        ),
        non_gsm_characters=not_gsm7(asked.text),
        transliterated=plain if plain != asked.text else None,
    )
