"""Whoever is signed in, to themselves: role, password, second factor, look."""

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_POST
from unfold.widgets import UnfoldAdminPasswordWidget

from sms_backend.console import users
from sms_backend.console.admin.second_factor import shown_codes
from sms_backend.console.audit import record
from sms_backend.console.models import Recovery
from sms_backend.console.site import page, page_context


class PasswordForm(forms.Form):
    """Asked again before anything that would let a stranger at an open screen stay in."""

    password = forms.CharField(label="Your password", widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "current-password"}))

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._user = user

    def clean_password(self) -> str:
        """It must be theirs."""
        given = str(self.cleaned_data["password"])
        if not self._user.check_password(given):
            raise forms.ValidationError("That is not your password.")
        return given


@page("profile/", name="profile", right=None)
@never_cache
def profile(request: HttpRequest) -> HttpResponse:
    """What is known of you here, and what you may change."""
    return _drawn(request, PasswordForm(user=_user(request)))


@page("profile/two-factor-off/", name="two_factor_off", right=None)
@require_POST
@sensitive_post_parameters("password")
def two_factor_off(request: HttpRequest) -> HttpResponse:
    """The password alone from now on."""
    user = _user(request)
    form = PasswordForm(request.POST, user=user)
    if not form.is_valid():
        return _drawn(request, form)
    users.reset_second_factor(user)
    record(request, "user.two_factor_off", user, changes={"two_factor": [True, False]})
    messages.success(request, "Two-factor sign-in is off.")
    return HttpResponseRedirect(reverse("admin:profile"))


@page("profile/recovery-codes/", name="recovery_codes", right=None)
@require_POST
@sensitive_post_parameters("password")
@sensitive_variables("codes")
def recovery_codes(request: HttpRequest) -> HttpResponse:
    """New ones; the old ones open nothing any more."""
    user = _user(request)
    form = PasswordForm(request.POST, user=user)
    if not form.is_valid() or not users.has_second_factor(user):
        return _drawn(request, form)
    codes = Recovery.renewed_for(user)
    record(request, "user.recovery_codes_renewed", user)
    return shown_codes(request, codes)


def _drawn(request: HttpRequest, form: PasswordForm) -> HttpResponse:
    user = _user(request)
    recovery = Recovery.objects.filter(user=user).first()
    context = page_context(
        request,
        "Your profile",
        form=form,
        role=users.role_of(user),
        two_factor=users.has_second_factor(user),
        codes_left=len(recovery.hashes) if recovery else 0,
    )
    return TemplateResponse(request, "console/profile.html", context, status=400 if form.errors else 200)


def _user(request: HttpRequest) -> User:
    assert isinstance(request.user, User)
    return request.user
