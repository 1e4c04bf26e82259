"""Which way a message would go now, and why."""

from django import forms
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from sms_backend.accounts.models import Client
from sms_backend.console.problems import add_problems
from sms_backend.console.rights import Right
from sms_backend.console.site import page, page_context
from sms_backend.core.errors import InvalidError
from sms_backend.routing.explain import explain
from sms_contract.status import Mode, TrafficType


class RouteForm(forms.Form):
    """A message, as far as its way depends on it."""

    client = forms.ModelChoiceField(Client.objects.order_by("name"), widget=UnfoldAdminSelectWidget)
    to = forms.CharField(label="To", widget=UnfoldAdminTextInputWidget(attrs={"inputmode": "tel"}), help_text="E.164: +447911123456.")
    sender = forms.CharField(label="From", required=False, widget=UnfoldAdminTextInputWidget, help_text="Empty: the client's default.")
    lane = forms.ChoiceField(
        label="Traffic type", choices=[(t.value, t.value) for t in TrafficType], initial="transactional", widget=UnfoldAdminSelectWidget
    )
    mode = forms.ChoiceField(choices=[(m.value, m.value) for m in Mode], widget=UnfoldAdminSelectWidget)
    providers = forms.CharField(
        required=False, widget=UnfoldAdminTextInputWidget, help_text="Comma-separated: exclusively and in this order, as a message may say."
    )


@page("routes/", name="routes", right=Right.EXPLAIN_ROUTES)
@never_cache
@sensitive_post_parameters("to")
def routes(request: HttpRequest) -> HttpResponse:
    """Posted, so that the number is in no address and no access log; nothing is sent."""
    form = RouteForm(request.POST or None)
    way = None
    if form.is_valid():
        given = form.cleaned_data
        try:
            way = explain(
                given["client"],
                to=given["to"].strip(),
                sender=given["sender"].strip() or None,
                lane=given["lane"],
                wanted=[slug.strip() for slug in given["providers"].split(",") if slug.strip()],
                mode=given["mode"],
            )
        except InvalidError as error:
            add_problems(form, error, names={"from": "sender"})
    return TemplateResponse(request, "console/routes.html", page_context(request, "Routes", form=form, way=way))
