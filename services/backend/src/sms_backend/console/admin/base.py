"""What the console's pages of tables have in common: who may do what, what is written down, and plain words."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar, cast

from django.contrib import messages
from django.contrib.admin.options import ActionLocation
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from unfold.admin import ModelAdmin
from unfold.forms import ActionForm

from sms_backend.console.admin.keyset import KeysetChangeList, KeysetPaginator
from sms_backend.console.audit import Document, difference, record
from sms_backend.console.rights import permits
from sms_backend.core.errors import OperatorError

_Action = TypeVar("_Action", bound=Callable[..., Any])


def action(description: str, *, right: str) -> Callable[[_Action], _Action]:
    """An action on ticked rows; `right` is a `Right`, a permission, or `add`, `change`, `view` of the model."""

    def mark(function: _Action) -> _Action:
        function.short_description = description  # type: ignore[attr-defined]
        function.right = right  # type: ignore[attr-defined]
        return function

    return mark


class ReadableActionForm(ActionForm):
    """Unfold's, without a background of white on white that no style sheet of ours could take away."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        attributes = self.fields["action"].widget.attrs
        attributes["class"] = " ".join(name for name in attributes["class"].split() if "!bg-" not in name)


class ConsoleAdmin(ModelAdmin):
    """
    A table in the console.

    * Rights: Django's permissions of the model for looking, adding and changing; an action is marked by `@action(…, right=…)`, and
      where that is missing it is neither offered nor done. A page of the table's own (`get_urls`) asks `may`.
    * Audit: what the forms change is written down by itself; `document` says what of a row may be kept, without secrets, numbers and
      texts. An action writes its entries itself, by `audit.audited` or `audit.record`.
    * An `OperatorError` becomes a notice in plain words.
    """

    list_per_page = 50
    action_form = ReadableActionForm
    #: What people call a row in the audit trail: `client.changed`.
    noun: str = ""
    #: What the list says while there is nothing: why, and what to do.
    empty: str = ""

    def document(self, _obj: Any) -> Document:
        """What of a row may be kept in the audit trail."""
        return {}

    def name_of(self, obj: Any) -> str:
        """What a row is called in the audit trail; masked where it is a number."""
        return str(obj)

    # Rights -------------------------------------------------------------------------------------------------------------

    def may(self, request: HttpRequest, right: str) -> bool:
        """A `Right`, a permission (`accounts.change_client`), or `add`, `change`, `view` of this model."""
        if "." in right:
            return permits(request, right)
        return bool(getattr(self, f"has_{right}_permission")(request))

    def _filter_actions_by_permissions(self, request: HttpRequest, actions: Sequence[Any]) -> list[Any]:
        # Django would look for methods called has_<right>_permission. What says nothing (`delete_selected`) is nobody's.
        return [each for each in actions if (right := getattr(each.func, "right", None)) is not None and self.may(request, right)]

    def get_action_choices(
        self,
        request: HttpRequest,
        default_choices: list[tuple[str, str]] | None = None,
        action_location: ActionLocation = ActionLocation.CHANGE_LIST,
    ) -> list[tuple[str, str]]:
        """With the argument that Django 6.1 wants and unfold does not pass on yet."""
        del default_choices
        first = [("", "Select action")]
        return cast("list[tuple[str, str]]", super(ModelAdmin, self).get_action_choices(request, first, action_location))

    def response_action(self, request: HttpRequest, queryset: QuerySet[Any], **more: Any) -> HttpResponse | None:
        """What is ticked, never "all that match": nobody has seen those."""
        if request.POST.get("select_across") not in {None, "", "0"}:
            messages.error(request, "Tick the rows that are meant; an action is never done to rows that are not on the page.")
            return HttpResponseRedirect(request.get_full_path())
        return cast("HttpResponse | None", super().response_action(request, queryset, **more))

    # Audit --------------------------------------------------------------------------------------------------------------

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Model | None:
        """Remember how it was before the form changes it."""
        found = cast("Model | None", super().get_object(request, object_id, from_field))
        if found is not None:
            request.before = self.document(found)  # type: ignore[attr-defined]
        return found

    def log_addition(self, request: HttpRequest, obj: Any, _message: Any) -> None:
        """In our trail, not in Django's."""
        record(request, f"{self.noun}.added", obj, name=self.name_of(obj), changes=difference({}, self.document(obj)))

    def log_change(self, request: HttpRequest, obj: Any, _message: Any) -> None:
        """What the form has changed; nothing, if it has changed nothing."""
        before: Mapping[str, Any] = getattr(request, "before", {})
        changes = difference(before, self.document(obj))
        if changes:
            record(request, f"{self.noun}.changed", obj, name=self.name_of(obj), changes=changes)

    def log_deletions(self, request: HttpRequest, queryset: Any) -> None:
        """What was there."""
        for obj in queryset:
            record(request, f"{self.noun}.removed", obj, name=self.name_of(obj), changes=difference(self.document(obj), {}))

    def history_view(self, _request: HttpRequest, object_id: str, _extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The trail's page, of this row alone."""
        trail = reverse("admin:console_auditentry_changelist")
        return HttpResponseRedirect(f"{trail}?object_type={self.opts.model_name}&object_id={object_id}")

    # Plain words --------------------------------------------------------------------------------------------------------

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The form has been committed when Redis is told, so that there is somewhere to return to."""
        try:
            return cast("HttpResponse", super().changeform_view(request, object_id, form_url, extra_context))
        except OperatorError as error:
            return self._told(request, error)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Actions."""
        try:
            return cast("HttpResponse", super().changelist_view(request, extra_context))
        except OperatorError as error:
            return self._told(request, error)

    def _told(self, request: HttpRequest, error: OperatorError) -> HttpResponse:
        messages.warning(request, str(error))
        return HttpResponseRedirect(request.path)


class KeptAdmin(ConsoleAdmin):
    """What is never deleted from the console."""

    def has_delete_permission(self, _request: HttpRequest, _obj: Model | None = None) -> bool:
        """Suspend, revoke and disable are there for that."""
        return False


class ReadOnlyAdmin(KeptAdmin):
    """What is only looked at."""

    def has_add_permission(self, _request: HttpRequest) -> bool:
        """Nobody writes these by hand."""
        return False

    def has_change_permission(self, _request: HttpRequest, _obj: Model | None = None) -> bool:
        """Nor changes them."""
        return False


class KeysetAdmin(ReadOnlyAdmin):
    """
    A large table whose primary key goes with time: newest first, never counted, never skipped through.

    Pages are found by key (`?before=<id>`, `?after=<id>`), so that the hundredth costs what the first does. Where it `looks_through`, its
    keys are UUIDv7, and what its filters ask for is looked for among so many rows a page. Where it is `led_by` a field, there is an index
    by that and the key, and a page of one value goes along it.
    """

    looks_through = False
    led_by: str | None = None
    list_before_template = "console/looked_through.html"
    paginator = KeysetPaginator
    ordering = ("-pk",)
    sortable_by = ()
    list_disable_select_all = True

    def get_changelist(self, _request: HttpRequest, **_given: Any) -> type[KeysetChangeList]:
        """Django's, with keys in place of page numbers."""
        return KeysetChangeList
