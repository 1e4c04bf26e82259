"""The second step at sign-in, and setting it up: a code of an authenticator app, or a recovery code."""

from io import BytesIO

import segno
from django import forms
from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.safestring import SafeString, mark_safe
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_POST
from django_otp import login, verify_token
from unfold.widgets import UnfoldAdminTextInputWidget

from sms_backend.console.audit import record
from sms_backend.console.models import Recovery, Totp
from sms_backend.console.site import next_url, page_before_code, page_context
from sms_backend.console.users import has_second_factor, is_verified

_WRONG = "That is not right, or was used before. After wrong ones there is a wait: try the next code that your app shows."


class CodeForm(forms.Form):
    """One code, typed or pasted."""

    code = forms.CharField(
        max_length=32,
        label="Code",
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "one-time-code", "autofocus": True, "spellcheck": "false"}),
    )

    def clean_code(self) -> str:
        """Apps show it with a gap."""
        return str(self.cleaned_data["code"]).replace(" ", "")


@sensitive_post_parameters("code")
@never_cache
def check(request: HttpRequest) -> HttpResponse:
    """The code of whoever has given the password."""
    user = _user(request)
    if not has_second_factor(user) or is_verified(user):
        return HttpResponseRedirect(next_url(request))
    form = CodeForm(request.POST or None)
    if form.is_valid():
        if _opens(request, user, form.cleaned_data["code"]):
            request.session.cycle_key()
            record(request, "sign_in.code_passed")
            return HttpResponseRedirect(next_url(request))
        record(request, "sign_in.code_failed")
        form.add_error("code", _WRONG)
    context = page_context(request, "Your code", form=form, next=next_url(request))
    return TemplateResponse(request, "console/code.html", context)


@sensitive_post_parameters("code")
@sensitive_variables("codes")
@never_cache
def set_up(request: HttpRequest) -> HttpResponse:
    """Scan, confirm by a code, and keep the recovery codes."""
    user = _user(request)
    if has_second_factor(user):
        messages.info(request, "Two-factor sign-in is on already.")
        return HttpResponseRedirect(reverse("admin:profile"))
    totp = Totp.objects.filter(user=user, confirmed=False).first() or Totp.made_for(user)
    form = CodeForm(request.POST or None)
    if form.is_valid():
        if verify_token(user, totp.persistent_id, form.cleaned_data["code"]):
            Totp.objects.filter(pk=totp.pk).update(confirmed=True)
            totp.refresh_from_db()
            codes = Recovery.renewed_for(user)
            login(request, totp)
            request.session.cycle_key()
            record(request, "user.two_factor_on", user, changes={"two_factor": [False, True]})
            return shown_codes(request, codes)
        form.add_error("code", "That is not the code that the app shows now. Is the clock of your phone right?")
    context = page_context(request, "Set up two-factor sign-in", form=form, qr=_qr(totp.url), key=totp.key, next=next_url(request))
    return TemplateResponse(request, "console/two_factor_set_up.html", context, headers={"Cache-Control": "no-store"})


@require_POST
def leave(request: HttpRequest) -> HttpResponse:
    """Signed out again, before the code."""
    logout(request)
    return HttpResponseRedirect(reverse("admin:login"))


def shown_codes(request: HttpRequest, codes: list[str]) -> HttpResponse:
    """The one sight of recovery codes: an answer, no redirect, so that they are kept nowhere."""
    context = page_context(request, "Your recovery codes", codes=codes, next=next_url(request))
    return TemplateResponse(request, "console/recovery_codes.html", context, headers={"Cache-Control": "no-store"})


def _opens(request: HttpRequest, user: User, code: str) -> bool:
    kind = Totp if code.isdigit() else Recovery
    device = kind.objects.filter(user=user, confirmed=True).first()
    verified = None if device is None else verify_token(user, device.persistent_id, code)
    if verified is None:
        return False
    login(request, verified)
    return True


def _user(request: HttpRequest) -> User:
    assert isinstance(request.user, User)
    return request.user


def _qr(url: str) -> SafeString:
    """Drawn here: the key goes to nobody who would draw it for us."""
    drawn = BytesIO()
    segno.make(url, error="m").save(drawn, kind="svg", scale=5, border=2, xmldecl=False, svgns=True, light="#fff", title="QR code")
    return mark_safe(drawn.getvalue().decode())  # noqa: S308 - segno's own drawing, of a quoted URL


page_before_code("login/code/", name="two_factor_check")(check)
page_before_code("login/leave/", name="leave")(leave)
page_before_code("login/set-up/", name="two_factor_set_up")(set_up)
