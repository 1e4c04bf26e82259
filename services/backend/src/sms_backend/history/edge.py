"""The outermost layer of what clients call: every answer has an `X-Request-ID`, every failure is a problem of the catalogue."""

import re
from collections.abc import Callable
from uuid import uuid4

import structlog
from django.core.exceptions import SuspiciousOperation
from django.db import Error as DatabaseError
from django.http import Http404, HttpRequest, HttpResponse

from sms_backend.history.problems import MEDIA_TYPE, Problem, answer

log = structlog.get_logger()

#: What clients call; the console and the probes speak otherwise.
PREFIX = "/v1/"
_SANE = re.compile(r"[A-Za-z0-9._~:/+=@-]{1,128}")
#: What Django and the router say by themselves, in our words.
_OURS = {404: "route.not_found", 405: "request.method_not_allowed", 500: "internal"}


class Edge:
    """Django middleware."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not request.path_info.startswith(PREFIX):
            return self._get_response(request)
        given = request.headers.get("X-Request-ID", "")
        request.META["sms_backend.request_id"] = request_id = given if _SANE.fullmatch(given) else uuid4().hex
        response = self._get_response(request)
        code = _OURS.get(response.status_code)
        if code is not None and response.get("Content-Type") != MEDIA_TYPE:
            allowed = response.get("Allow")
            response = answer(Problem(code))
            if allowed is not None:
                response["Allow"] = allowed
        response["X-Request-ID"] = request_id
        # Whose messages these are is said by a header that caches do not look at.
        response["Cache-Control"] = "private, no-store"
        return response

    def process_exception(self, request: HttpRequest, failure: Exception) -> HttpResponse | None:
        """Whatever ended a request, it gets its answer."""
        if not request.path_info.startswith(PREFIX) or isinstance(failure, Http404 | SuspiciousOperation):
            return None
        if isinstance(failure, Problem):
            return answer(failure)
        where = f"{request.method} {request.path_info}"
        log.error("history.failed", request_id=request.META["sms_backend.request_id"], error=type(failure).__name__, where=where)
        return answer(Problem("cache.unavailable" if isinstance(failure, DatabaseError) else "internal"))
