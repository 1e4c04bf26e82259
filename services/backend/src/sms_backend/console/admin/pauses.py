"""What is held back, on a page of its own and as a banner on every other."""

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST
from unfold.widgets import UnfoldAdminSelectWidget

from sms_backend.accounts.models import Client
from sms_backend.console.audit import record
from sms_backend.console.rights import Right, permits
from sms_backend.console.site import page, page_context
from sms_backend.routing import pauses
from sms_backend.routing.models import Pause, Provider
from sms_contract.status import TrafficType

_LANES = [("", "any"), *((lane.value, lane.value) for lane in TrafficType)]


class PauseForm(forms.Form):
    """Which messages to hold: those that fit each of these."""

    client = forms.ModelChoiceField(Client.objects.order_by("name"), required=False, empty_label="any", widget=UnfoldAdminSelectWidget)
    lane = forms.ChoiceField(label="Traffic type", choices=_LANES, required=False, widget=UnfoldAdminSelectWidget)
    provider = forms.ModelChoiceField(Provider.objects.order_by("slug"), required=False, empty_label="any", widget=UnfoldAdminSelectWidget)


def banner(request: HttpRequest) -> dict[str, Any]:
    """Unfold's hook for every page: what is held, for those who may look."""
    if not permits(request, "routing.view_pause"):
        return {}
    return {"held": [pauses.document(pause) for pause in pauses.paused()]}


@page("pauses/", name="pauses", right="routing.view_pause")
@never_cache
def listing(request: HttpRequest) -> HttpResponse:
    """What is held, and since when."""
    context = page_context(
        request,
        "Pauses",
        rows=[(pause.pk, pauses.document(pause)) for pause in pauses.paused()],
        form=PauseForm(),
        may_pause=permits(request, Right.PAUSE_SENDING),
    )
    return TemplateResponse(request, "console/pauses.html", context)


@page("pauses/hold/", name="pause", right=Right.PAUSE_SENDING)
@require_POST
def hold(request: HttpRequest) -> HttpResponse:
    """Accepting goes on, and so does validity."""
    form = PauseForm(request.POST)
    if form.is_valid():
        given = form.cleaned_data
        held = pauses.pause(client=given["client"], lane=given["lane"] or None, provider=given["provider"])
        record(request, "sending.paused", held)
        messages.success(request, "Held. Messages are accepted all the same, and their validity runs on.")
    else:
        messages.error(request, "There is no such client, traffic type or provider.")
    return HttpResponseRedirect(reverse("admin:pauses"))


@page("pauses/<int:number>/resume/", name="resume", right=Right.PAUSE_SENDING)
@require_POST
def resume(request: HttpRequest, number: int) -> HttpResponse:
    """One of them alone."""
    held = Pause.objects.filter(pk=number).first()
    if held is None:
        messages.warning(request, "That is held no more.")
    else:
        pauses.lift(held)
        record(request, "sending.resumed", name=str(held))
        messages.success(request, "They go on within two seconds.")
    return HttpResponseRedirect(reverse("admin:pauses"))
