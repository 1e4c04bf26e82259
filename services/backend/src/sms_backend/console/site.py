"""The console as one site: who comes in, the second step at sign-in, and the pages that belong to no table."""

from collections.abc import Callable
from functools import wraps
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib.admin import sites
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import URLPattern, URLResolver, path, reverse
from django.utils.http import url_has_allowed_host_and_scheme
from unfold.sites import UnfoldAdminSite

from sms_backend.console.audit import record
from sms_backend.console.rights import permits
from sms_backend.console.users import has_second_factor, is_verified

View = Callable[..., HttpResponseBase]

#: Route, view and name of each page; `before` those that are open to whoever owes the code.
_pages: list[tuple[str, View, str]] = []
_before: list[tuple[str, View, str]] = []


def page(route: str, *, name: str, right: str | None) -> Callable[[View], View]:
    """
    Make a view a page of the console, at `/console/<route>`, reversed as `admin:<name>`.

    `right` is what it needs (None: to be signed in); whoever lacks it gets a 403. Draw it with `TemplateResponse`, a template that
    extends `admin/base_site.html`, and `page_context(request, title)`.
    """

    def register(view: View) -> View:
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if right is not None and not permits(request, right):
                raise PermissionDenied
            return view(request, *args, **kwargs)

        _pages.append((route, guarded, name))
        return guarded

    return register


def page_before_code(route: str, *, name: str) -> Callable[[View], View]:
    """A page for whoever has given the password and owes the second factor."""

    def register(view: View) -> View:
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if not (request.user.is_active and isinstance(request.user, User) and request.user.is_staff):
                return HttpResponseRedirect(reverse("admin:login"))
            return view(request, *args, **kwargs)

        _before.append((route, guarded, name))
        return guarded

    return register


def owes_code(request: HttpRequest) -> bool:
    """Whether the second factor is still to be given, or to be set up first."""
    user = request.user
    if not isinstance(user, User) or is_verified(user):
        return False
    return bool(settings.CONSOLE_REQUIRES_TWO_FACTOR) or has_second_factor(user)


def next_url(request: HttpRequest) -> str:
    """Where whoever signs in wanted to go; never to another host."""
    wanted = request.POST.get(REDIRECT_FIELD_NAME) or request.GET.get(REDIRECT_FIELD_NAME) or ""
    safe = url_has_allowed_host_and_scheme(wanted, allowed_hosts={request.get_host()}, require_https=request.is_secure())
    return wanted if safe else reverse("admin:index")


class ConsoleSite(UnfoldAdminSite):
    """Django's admin in unfold's clothes, behind two factors."""

    index_title = "Overview"
    enable_nav_sidebar = True

    def has_permission(self, request: HttpRequest) -> bool:
        """Whether somebody is inside: with the second factor, where there is one."""
        return bool(super().has_permission(request)) and not owes_code(request)

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The password; whoever has given it goes on to the code."""
        if request.method == "GET" and super().has_permission(request) and owes_code(request):
            step = "two_factor_check" if has_second_factor(request.user) else "two_factor_set_up"  # type: ignore[arg-type]
            return HttpResponseRedirect(f"{reverse(f'admin:{step}')}?{urlencode({REDIRECT_FIELD_NAME: next_url(request)})}")
        response: HttpResponse = super().login(request, extra_context)
        return response

    def password_change(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Their own, which is written down."""
        response: HttpResponse = super().password_change(request, extra_context)
        if request.method == "POST" and response.status_code == HTTPStatus.FOUND and isinstance(request.user, User):
            record(request, "user.password_changed", request.user)
        return response

    def get_urls(self) -> list[URLPattern | URLResolver]:
        """Ours before Django's, whose last one catches all."""
        ours = [path(route, self.admin_view(view), name=name) for route, view, name in _pages]
        open_ones = [path(route, view, name=name) for route, view, name in _before]
        return [*open_ones, *ours, *super().get_urls()]


def page_context(request: HttpRequest, title: str, **more: Any) -> dict[str, Any]:
    """What the frame of a page needs, and its title."""
    return sites.site.each_context(request) | {"title": title} | more
