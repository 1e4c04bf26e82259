"""The first page: is it healthy, is it fast, what fails. It refreshes by itself while somebody looks."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache

from sms_backend.console.chart import HEIGHT, WIDTH, chart
from sms_backend.console.condition import MOST_WAITING, condition
from sms_backend.console.figures import GROUPS, SPANS, figures
from sms_backend.console.rights import Right, permits
from sms_backend.console.site import page
from sms_contract.status import Mode


@page("figures/", name="figures", right=Right.VIEW_DASHBOARD)
@never_cache
def refreshed(request: HttpRequest) -> HttpResponse:
    """What changes on the page, alone."""
    return TemplateResponse(request, "console/figures.html", shown(request))


def index(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Unfold's hook for the first page."""
    if not permits(request, Right.VIEW_DASHBOARD):
        return context
    return context | shown(request)


def shown(request: HttpRequest) -> dict[str, Any]:
    """What the templates draw; what nobody offers is answered with what is usual."""
    wanted, mode = request.GET.get("span", ""), request.GET.get("mode", "")
    span = wanted if wanted in SPANS else "24h"
    chosen = Mode.TEST if mode == Mode.TEST else Mode.LIVE
    now = timezone.now()
    found = figures(SPANS[span], chosen, now)
    return {
        "figures": found,
        "chart": chart(found),
        "chart_size": (WIDTH, HEIGHT),
        "condition": condition(now),
        "groups": [(group, group.replace(" ", "-")) for group in GROUPS],
        "most_waiting": MOST_WAITING,
        "spans": [(name, each.title, name == span) for name, each in SPANS.items()],
        "modes": [(each.value, each is chosen) for each in Mode],
        "chosen": f"span={span}&mode={chosen.value}",
    }
