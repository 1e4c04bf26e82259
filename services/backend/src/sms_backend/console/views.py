"""What the web process answers besides the console: probes and metrics, and that something went wrong."""

import os
import sys
from http import HTTPStatus

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.views.decorators.http import require_safe
from django.views.defaults import server_error
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from sms_backend.core.health import health
from sms_backend.messages.gauges import Waiting
from sms_backend.routing.gauges import Providers

_waiting = Waiting()
_providers = Providers(database_answers=lambda: _waiting.answered)


@require_safe
def healthz(_request: HttpRequest) -> HttpResponse:
    """The process is alive; says nothing about anything else."""
    return HttpResponse("ok\n", content_type="text/plain")


@require_safe
def readyz(_request: HttpRequest) -> HttpResponse:
    """Whether what it stands on answers, one line each."""
    found = health()
    return HttpResponse(found.lines, status=200 if found.ready else 503, content_type="text/plain")


@require_safe
def metrics(_request: HttpRequest) -> HttpResponse:
    """Every process of Server B, where they share a folder; else this one alone."""
    registry = CollectorRegistry()
    registry.register(_waiting)  # first: it finds out whether there is a database to ask
    registry.register(_providers)
    parts = [generate_latest(registry)]
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        shared = CollectorRegistry()
        MultiProcessCollector(shared)  # type: ignore[no-untyped-call]
        parts.append(generate_latest(shared))
    else:
        parts.append(generate_latest(REGISTRY))
    return HttpResponse(b"".join(parts), content_type=CONTENT_TYPE_LATEST)


def failed(request: HttpRequest) -> HttpResponse:
    """The page of an error of ours; Django calls it while the exception is being handled."""
    if isinstance(sys.exception(), OperationalError | InterfaceError):
        page = render_to_string("503.html")
        return HttpResponse(page, status=HTTPStatus.SERVICE_UNAVAILABLE, headers={"Retry-After": "5"})
    return server_error(request)
