"""One message's page, and what can be done there: look at number and text, take it back, send it anew; and the list as a file."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any
from uuid import UUID

from django.contrib import messages as notices
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST

from sms_backend.console.admin.base import ConsoleAdmin
from sms_backend.console.audit import record
from sms_backend.console.masking import shown_number
from sms_backend.console.rights import Right
from sms_backend.console.site import page_context
from sms_backend.console.story import entries
from sms_backend.console.table import rows
from sms_backend.core.errors import NotFoundError, OperatorError
from sms_backend.messages import by_hand
from sms_backend.messages.lookup import Lookup
from sms_backend.messages.models import Message
from sms_backend.messages.selectors import message_with, story_of
from sms_contract.phone import is_e164
from sms_contract.status import Status

View = Callable[..., HttpResponse]
_LOOK = "sms_messages.view_message"


def shown(table: ConsoleAdmin) -> View:
    """The story, number and text hidden."""

    def view(request: HttpRequest, tracking_id: UUID) -> HttpResponse:
        _need(table, request, _LOOK)
        return _drawn(table, request, _message(tracking_id), whole=False)

    return view


def revealed(table: ConsoleAdmin) -> View:
    """The story with number and text: an answer to a POST, which is written down each time, and kept nowhere."""

    @require_POST
    def view(request: HttpRequest, tracking_id: UUID) -> HttpResponse:
        _need(table, request, _LOOK, Right.VIEW_PERSONAL_DATA)
        message = _message(tracking_id)
        record(request, "message.revealed", message, changes={"client": message.client_id})
        return _drawn(table, request, message, whole=True)

    return view


def canceled(table: ConsoleAdmin) -> View:
    """Asked for, then done."""

    def view(request: HttpRequest, tracking_id: UUID) -> HttpResponse:
        _need(table, request, _LOOK, Right.CANCEL_MESSAGES)
        message = _message(tracking_id)
        if request.method != "POST":
            return _asked(request, message, "cancel", "Cancel this message?", "Cancel it")
        try:
            with transaction.atomic():
                by_hand.take_back(message)
                record(request, "message.cancel_requested", message, changes={"status": message.status})
        except OperatorError as error:
            notices.warning(request, str(error))
            return _back(message.id)
        message.refresh_from_db()
        ended = message.status == Status.CANCELED
        notices.success(request, "Canceled." if ended else "Asked back: it ends unless a provider has taken it by then.")
        return _back(message.id)

    return view


def resent(table: ConsoleAdmin) -> View:
    """Asked for, with what may come of it, then done; the new message's page is where that leads."""

    def view(request: HttpRequest, tracking_id: UUID) -> HttpResponse:
        _need(table, request, _LOOK, Right.RESEND_MESSAGES)
        message = _message(tracking_id)
        if (known := by_hand.successor_of(message)) is not None:
            notices.info(request, "It was sent anew before; this is the message that stands for it.")
            return _back(known)
        if request.method != "POST":
            return _asked(request, message, "resend", "Send this message anew?", "Send a new message")
        try:
            with transaction.atomic():
                made = by_hand.send_anew(message)
                record(request, "message.resent", message, changes={"status": message.status, "new_message": str(made)})
        except OperatorError as error:
            notices.warning(request, str(error))
            return _back(message.id)
        notices.success(request, "A new message is on its way. This is its page.")
        return _back(made)

    return view


def export(table: ConsoleAdmin, lookup_of: Callable[[Any], Lookup]) -> View:
    """What the list's filters find, streamed; whole numbers only where they are asked for and allowed."""

    @require_POST
    def view(request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
        _need(table, request, _LOOK, Right.EXPORT_MESSAGES)
        whole = request.POST.get("whole") == "1"
        if whole:
            _need(table, request, Right.VIEW_PERSONAL_DATA)
        lookup = lookup_of(request.GET)
        told = {name: value for name, value in request.GET.items() if value and name not in {"q", "before", "after"}}
        if lookup.to or lookup.reference:
            told["searched_for"] = shown_number(lookup.to) if lookup.to else "a reference"
        record(request, "messages.exported", changes={"whole_numbers": whole, **told})
        name = f"messages-{timezone.now():%Y%m%dT%H%M%SZ}.csv"
        headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
        return StreamingHttpResponse(rows(lookup, whole=whole), content_type="text/csv; charset=utf-8", headers=headers)

    return view  # type: ignore[return-value]


def _drawn(table: ConsoleAdmin, request: HttpRequest, message: Message, *, whole: bool) -> HttpResponse:
    story = story_of(message)
    status = Status(message.status)
    successor, predecessor = by_hand.successor_of(message), by_hand.predecessor_of(message)
    context = page_context(
        request,
        "A message",
        opts=table.opts,
        message=message,
        aliases=story.aliases,
        number=message.recipient if whole else shown_number(message.recipient),
        text=message.text if whole else None,
        may_reveal=not whole and is_e164(message.recipient) and table.may(request, Right.VIEW_PERSONAL_DATA),
        entries=entries(story),
        webhooks=story.webhooks,
        successor=successor,
        predecessor=predecessor,
        may_cancel=not status.is_final and table.may(request, Right.CANCEL_MESSAGES),
        may_resend=status in by_hand.RESENDABLE
        and successor is None
        and is_e164(message.recipient)
        and table.may(request, Right.RESEND_MESSAGES),
        is_final=status.is_final,
    )
    return TemplateResponse(request, "console/message.html", context, headers={"Cache-Control": "no-store"})


def _asked(request: HttpRequest, message: Message, what: str, title: str, button: str) -> HttpResponse:
    context = page_context(request, title, message=message, number=shown_number(message.recipient), what=what, button=button)
    return TemplateResponse(request, "console/message_confirm.html", context)


def _message(tracking_id: UUID) -> Message:
    try:
        return message_with(str(tracking_id))
    except NotFoundError as error:
        raise Http404(str(error)) from error


def _back(tracking_id: UUID) -> HttpResponse:
    return HttpResponseRedirect(reverse("admin:sms_messages_message_change", args=[tracking_id]), status=HTTPStatus.FOUND)


def _need(table: ConsoleAdmin, request: HttpRequest, *rights: str) -> None:
    if not all(table.may(request, right) for right in rights):
        raise PermissionDenied
