"""Who wants nothing from whom: looked for by number, shown masked."""

from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST
from unfold.widgets import UnfoldAdminFileFieldWidget, UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from sms_backend.accounts.models import Client
from sms_backend.console import suppression_list
from sms_backend.console.audit import record
from sms_backend.console.masking import shown_number
from sms_backend.console.rights import Right, permits
from sms_backend.console.site import page, page_context
from sms_backend.core.errors import InvalidError
from sms_backend.messages.inbound_models import Suppression
from sms_backend.messages.pseudonyms import pseudonym
from sms_contract.phone import masked

_MOST = 100
_LARGEST = 5 * 1024 * 1024
_ADD, _REMOVE = "sms_messages.add_suppression", "sms_messages.delete_suppression"


class NumberForm(forms.Form):
    """One number of one client."""

    client = forms.ModelChoiceField(Client.objects.order_by("name"), widget=UnfoldAdminSelectWidget)
    number = forms.CharField(widget=UnfoldAdminTextInputWidget(attrs={"inputmode": "tel"}), help_text="E.164, such as +447911123456.")
    sender = forms.CharField(required=False, widget=UnfoldAdminTextInputWidget, help_text="Empty: any of the client's.")


class FileForm(forms.Form):
    """Many numbers of one client."""

    client = forms.ModelChoiceField(Client.objects.order_by("name"), widget=UnfoldAdminSelectWidget(attrs={"id": "id_file_client"}))
    file = forms.FileField(
        widget=UnfoldAdminFileFieldWidget(attrs={"accept": ".csv,text/csv"}),
        help_text="CSV in UTF-8, with a column number and, if wanted, a column sender.",
    )

    def clean_file(self) -> list[str]:
        """Its lines."""
        given = self.cleaned_data["file"]
        if given.size > _LARGEST:
            raise forms.ValidationError("It is larger than 5 MiB: use `suppression import`.")
        try:
            return str(given.read().decode("utf-8-sig")).splitlines()
        except UnicodeDecodeError:
            raise forms.ValidationError("It is not UTF-8.") from None


@page("suppressions/", name="suppressions", right="sms_messages.view_suppression")
@never_cache
@sensitive_post_parameters("number")
def listing(request: HttpRequest) -> HttpResponse:
    """The newest, or what is known of a number; it is posted, so that it is in no address."""
    form = NumberForm(request.POST or None)
    wanted = request.POST.get("do", "")
    if wanted and form.is_valid():
        done = {"add": _add, "remove": _remove}.get(wanted)
        if done is not None:
            done(request, **form.cleaned_data)
            return HttpResponseRedirect(reverse("admin:suppressions"))
    # By the client's id, not its name, as the index has it: the list may be long.
    found = Suppression.objects.select_related("client").order_by("client_id", "recipient", "sender")
    if wanted == "find" and form.is_valid():
        number = form.cleaned_data["number"].strip()
        found = found.filter(client=form.cleaned_data["client"], recipient__in=[number, pseudonym(number)])
    context = page_context(
        request,
        "Suppression list",
        form=form,
        file_form=FileForm(),
        searched=wanted == "find",
        rows=[(entry, shown_number(entry.recipient)) for entry in found[:_MOST]],
        most=_MOST,
        may_add=permits(request, _ADD),
        may_remove=permits(request, _REMOVE),
        may_export=permits(request, Right.VIEW_PERSONAL_DATA),
    )
    return TemplateResponse(request, "console/suppressions.html", context)


@page("suppressions/import/", name="suppressions_import", right=_ADD)
@require_POST
def imported(request: HttpRequest) -> HttpResponse:
    """All of a file, or nothing of it."""
    form = FileForm(request.POST, request.FILES)
    if not form.is_valid():
        messages.error(request, " ".join(str(problem) for problems in form.errors.values() for problem in problems))
        return HttpResponseRedirect(reverse("admin:suppressions"))
    client = form.cleaned_data["client"]
    try:
        read, added = suppression_list.read_in(client, form.cleaned_data["file"])
    except InvalidError as error:
        messages.error(request, str(error))
    else:
        record(request, "suppressions.imported", client, changes={"read": read, "added": added})
        messages.success(request, f"{read} read, {added} of them new.")
    return HttpResponseRedirect(reverse("admin:suppressions"))


@page("suppressions/export/", name="suppressions_export", right=Right.VIEW_PERSONAL_DATA)
@require_POST
def exported(request: HttpRequest) -> StreamingHttpResponse:
    """Numbers in full: written down who took them."""
    record(request, "suppressions.exported")
    name = f"suppressions-{timezone.now():%Y%m%d}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return StreamingHttpResponse(suppression_list.written_out(None), content_type="text/csv; charset=utf-8", headers=headers)


def _add(request: HttpRequest, **given: Any) -> None:
    if not permits(request, _ADD):
        raise PermissionDenied
    number = given["number"].strip()
    try:
        added = suppression_list.add(given["client"], number, given["sender"].strip())
    except InvalidError as error:
        messages.error(request, str(error))
        return
    if added:
        record(request, "suppression.added", given["client"], changes={"number": masked(number)})
    messages.success(request, "Nothing goes there any more." if added else "It was there already.")


def _remove(request: HttpRequest, **given: Any) -> None:
    if not permits(request, _REMOVE):
        raise PermissionDenied
    number = given["number"].strip()
    removed = suppression_list.remove(given["client"], number, given["sender"].strip() or None)
    if removed:
        record(request, "suppression.removed", given["client"], changes={"number": masked(number), "entries": removed})
        messages.success(request, f"{removed} removed.")
    else:
        messages.warning(request, "There is no such entry.")
