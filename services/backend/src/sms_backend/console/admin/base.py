"""What the console's pages have in common."""

from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.functional import cached_property
from unfold.admin import ModelAdmin

from sms_backend.core.errors import OperatorError

#: Large tables are counted no further; whoever looks for more than that searches.
_MOST = 2000


class BoundedPaginator(Paginator):
    """Never counts a whole table."""

    @cached_property
    def count(self) -> int:
        """At most `_MOST`."""
        rows = self.object_list
        if isinstance(rows, QuerySet):
            return rows.values("pk")[:_MOST].count()
        return len(rows)


class SpeakingAdmin(ModelAdmin):
    """Says in plain words what a service could not do: above all that Redis does not have it yet."""

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The form has been committed when Redis is told, so that there is somewhere to return to."""
        try:
            response: HttpResponse = super().changeform_view(request, object_id, form_url, extra_context)
        except OperatorError as error:
            return self._told(request, error)
        return response

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Actions."""
        try:
            response: HttpResponse = super().changelist_view(request, extra_context)
        except OperatorError as error:
            return self._told(request, error)
        return response

    def _told(self, request: HttpRequest, error: OperatorError) -> HttpResponse:
        messages.warning(request, str(error))
        return HttpResponseRedirect(request.path)


class KeptAdmin(SpeakingAdmin):
    """What is never deleted from the console."""

    def has_delete_permission(self, _request: HttpRequest, _obj: Model | None = None) -> bool:
        """Suspend, revoke and disable are there for that."""
        return False


class ReadOnlyAdmin(KeptAdmin):
    """What is only looked at."""

    paginator = BoundedPaginator
    show_full_result_count = False
    list_per_page = 50

    def has_add_permission(self, _request: HttpRequest) -> bool:
        """Nobody writes these by hand."""
        return False

    def has_change_permission(self, _request: HttpRequest, _obj: Model | None = None) -> bool:
        """Nor changes them."""
        return False
