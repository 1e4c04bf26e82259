"""
Refusals, as RFC 9457 `application/problem+json`, made from the catalogue of the contract.

A `Problem` is raised wherever a request ends; only the outermost layer (`edge`) turns it into an answer.
"""

import random
from typing import Final

import msgspec
from django.http import HttpResponse

from sms_backend.core.environment import environment
from sms_contract.errors import CATALOGUE

MEDIA_TYPE: Final = "application/problem+json"


class Mistake(msgspec.Struct, frozen=True):
    """One thing that is wrong with a request; `pointer` names the parameter as a JSON pointer would."""

    pointer: str
    code: str
    detail: str


class Problem(Exception):  # noqa: N818 - RFC 9457 calls it that
    """A request that is answered with an error code of the catalogue."""

    def __init__(
        self, code: str, detail: str | None = None, *, errors: list[Mistake] | None = None, retry_after: int | None = None
    ) -> None:
        super().__init__(code)
        self.code = code
        self.detail = detail or CATALOGUE[code].action
        self.errors = errors
        self.retry_after = retry_after


class ProblemBody(msgspec.Struct, kw_only=True, omit_defaults=True):
    """The body of every error answer (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    retryable: bool
    errors: list[Mistake] | msgspec.UnsetType = msgspec.UNSET


def body_of(problem: Problem) -> ProblemBody:
    """What the answer says."""
    entry = CATALOGUE[problem.code]
    return ProblemBody(
        type=entry.type(environment.public_base_url),
        title=entry.title,
        status=entry.status or 500,
        detail=problem.detail,
        code=problem.code,
        retryable=entry.retryable,
        errors=problem.errors or msgspec.UNSET,
    )


def answer(problem: Problem) -> HttpResponse:
    """The answer to a request that ended so."""
    body = body_of(problem)
    response = HttpResponse(msgspec.json.encode(body), status=body.status, content_type=MEDIA_TYPE)
    retry_after = problem.retry_after
    if retry_after is None and body.status == 503:
        # Spread, so that those who were refused together do not come back together.
        retry_after = random.randint(1, 4)  # noqa: S311
    if retry_after is not None:
        response["Retry-After"] = str(retry_after)
    if body.status == 401:
        response["WWW-Authenticate"] = "Bearer"
    return response
