"""
Refusals, as RFC 9457 `application/problem+json`, made from the catalogue of the contract.

A `Problem` is raised wherever a request ends; only the outermost layer turns it into an answer.
"""

import random
from typing import Final

import msgspec

from sms_contract.errors import CATALOGUE

MEDIA_TYPE: Final = b"application/problem+json"


class Mistake(msgspec.Struct, frozen=True):
    """One thing that is wrong with a request; `pointer` is a JSON pointer (RFC 6901) into its body."""

    pointer: str
    code: str
    detail: str


class Problem(Exception):  # noqa: N818  (RFC 9457 calls it that)
    """A request that is answered with an error code of the catalogue."""

    def __init__(
        self,
        code: str,
        detail: str | None = None,
        *,
        errors: list[Mistake] | None = None,
        tracking_id: str | None = None,
        retryable: bool | None = None,
        retry_after: int | None = None,
        headers: list[tuple[bytes, bytes]] | None = None,
    ) -> None:
        entry = CATALOGUE[code]
        super().__init__(code)
        self.code = code
        self.status = entry.status or 500
        self.detail = detail or entry.action
        self.errors = errors
        self.tracking_id = tracking_id
        self.retryable = entry.retryable if retryable is None else retryable
        self.retry_after = retry_after
        self.headers = headers or []


class ProblemBody(msgspec.Struct, kw_only=True, omit_defaults=True):
    """The body of every error answer (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    retryable: bool
    errors: list[Mistake] | msgspec.UnsetType = msgspec.UNSET
    tracking_id: str | msgspec.UnsetType = msgspec.UNSET


_encode = msgspec.json.Encoder().encode


def render(problem: Problem, base_url: str) -> tuple[bytes, list[tuple[bytes, bytes]]]:
    """The body and the headers of an answer."""
    entry = CATALOGUE[problem.code]
    body = _encode(
        ProblemBody(
            type=entry.type(base_url),
            title=entry.title,
            status=problem.status,
            detail=problem.detail,
            code=problem.code,
            retryable=problem.retryable,
            errors=problem.errors or msgspec.UNSET,
            tracking_id=problem.tracking_id or msgspec.UNSET,
        )
    )
    headers = [(b"content-type", MEDIA_TYPE), *problem.headers]
    retry_after = problem.retry_after
    if retry_after is None and problem.status == 503:
        # Spread, so that those who were refused together do not come back together.
        retry_after = random.randint(1, 4)  # noqa: S311
    if retry_after is not None:
        headers.append((b"retry-after", b"%d" % retry_after))
    if problem.status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    return body, headers
