"""How a provider is now: its circuit, its counts, its throughput; and one message to try it by."""

from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST
from unfold.widgets import UnfoldAdminTextInputWidget

from sms_backend.console.audit import record
from sms_backend.console.documents import balance_document, circuit_document
from sms_backend.console.rights import Right, permits
from sms_backend.console.site import page
from sms_backend.core.errors import OperatorError
from sms_backend.messages import tallies
from sms_backend.messages.hot import hot_cursor
from sms_backend.messages.tallies import Window
from sms_backend.routing import circuits
from sms_backend.routing.models import Provider
from sms_backend.routing.selectors import provider_named
from sms_backend.routing.trial import TEXT, send_trial
from sms_contract.phone import masked

_BACK = timedelta(minutes=5)


class TrialForm(forms.Form):
    """One message, past every queue."""

    to = forms.CharField(label="To", widget=UnfoldAdminTextInputWidget(attrs={"inputmode": "tel"}), help_text="It is sent, and it costs.")
    sender = forms.CharField(label="From", required=False, widget=UnfoldAdminTextInputWidget)
    text = forms.CharField(initial=TEXT, max_length=160, widget=UnfoldAdminTextInputWidget)


def context(request: HttpRequest, provider: Provider) -> dict[str, Any]:
    """What the provider's page shows beside its form."""
    now = {
        "circuit": circuit_document(provider.slug, circuits.said([provider.slug])),
        "counts": circuits.counts(provider.slug),
        "rate": _rate(provider.slug),
        "balance": balance_document(provider),
    }
    return {"now": now, "trial": TrialForm(auto_id="trial_%s"), "may_test": permits(request, Right.TEST_PROVIDERS)}


@page("providers/<slug:slug>/trial/", name="provider_trial", right=Right.TEST_PROVIDERS)
@require_POST
@sensitive_post_parameters("to", "text")
def trial(request: HttpRequest, slug: str) -> HttpResponse:
    """What the provider answers to one message; nothing of it is stored but that it was done."""
    form = TrialForm(request.POST)
    back = HttpResponseRedirect(reverse("admin:routing_provider_change", args=[slug]))
    if not form.is_valid():
        messages.error(request, "Give a number and a text of at most 160 characters.")
        return back
    given = form.cleaned_data
    try:
        provider = provider_named(slug)
        said = send_trial(provider, to=given["to"].strip(), sender=given["sender"].strip() or None, text=given["text"])
    except OperatorError as error:
        messages.error(request, str(error))
        return back
    record(request, "provider.tested", provider, changes={"to": masked(given["to"].strip()), "outcome": said["outcome"]})
    problem = said["error"]
    why = "" if problem is None else f" ({problem['code']}{': ' + problem['detail'] if problem['detail'] else ''})"
    told = messages.success if problem is None else messages.warning
    told(request, f"{slug}: {said['outcome']}{why}, after {said['seconds']} s.")
    return back


def _rate(slug: str) -> float:
    """Attempts a second, of the last whole slot and this one."""
    now = timezone.now()
    start = now.replace(minute=now.minute // 5 * 5, second=0, microsecond=0) - _BACK
    with hot_cursor() as cursor:
        found = tallies.sums(cursor, "attempt", Window(since=start, until=now, minutes=5), by=("provider",))
    return next((row.n for row in found if row.provider == slug), 0) / (now - start).total_seconds()
