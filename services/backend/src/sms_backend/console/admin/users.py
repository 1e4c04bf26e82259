"""Who may come in here, and in which role."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.decorators import display
from unfold.widgets import UnfoldAdminPasswordWidget, UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from sms_backend.console import users
from sms_backend.console.admin.base import KeptAdmin, action
from sms_backend.console.audit import Document, audited
from sms_backend.console.problems import add_problems
from sms_backend.console.rights import Role
from sms_backend.core.errors import InvalidError

_ROLES = (
    (Role.VIEWER, "viewer: looks; numbers and texts are masked"),
    (Role.OPERATOR, "operator: a day's operations; may look at numbers and texts, which is recorded"),
    (Role.ADMIN, "admin: also configuration, credentials, users and the audit trail"),
)


class UserForm(forms.ModelForm):
    """A name and a role; a password where it is new, or is to be another."""

    role = forms.ChoiceField(choices=_ROLES, widget=UnfoldAdminSelectWidget)
    new_password = forms.CharField(
        required=False,
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"}),
        help_text="At least 12 characters; they change it on their profile. Left empty, it stays as it is.",
    )

    class Meta:
        model = User
        fields = ("username",)
        widgets = {"username": UnfoldAdminTextInputWidget}
        help_texts = {"username": "Letters, digits and @ . + - _"}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk is None:
            self.fields["new_password"].required = True
            self.fields["new_password"].label = "Password"
            self.fields["new_password"].help_text = "At least 12 characters; they change it on their profile."
        else:
            self.initial["role"] = users.role_of(self.instance)

    def clean(self) -> dict[str, Any]:
        """By the rules of the operator's command."""
        password = self.cleaned_data.get("new_password")
        if password:
            try:
                users.check_password_of(User(username=self.cleaned_data.get("username") or self.instance.username), password)
            except InvalidError as error:
                add_problems(self, error, names={"password": "new_password"})
        return self.cleaned_data


@admin.register(User)
class UserAdmin(KeptAdmin):
    """Never deleted: the audit trail speaks of them."""

    noun = "user"
    form = UserForm
    empty = "Whoever may sign in here stands in this list."
    list_display = ("username", "role", "state", "second_factor", "last_login")
    search_fields = ("username",)
    ordering = ("username",)
    actions = ("switch_on", "switch_off", "reset_two_factor", "sign_out")
    fields = ("username", "role", "new_password")

    def get_readonly_fields(self, _request: HttpRequest, obj: User | None = None) -> tuple[str, ...]:
        """A name stays: the trail knows them by it."""
        return () if obj is None else ("username",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        """With their groups, which are their roles."""
        found: QuerySet[User] = super().get_queryset(request).prefetch_related("groups")
        return found

    def document(self, obj: User) -> Document:
        """Without the password."""
        return users.kept(obj)

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:  # noqa: FBT001 - Django's signature
        """Through the service, which keeps an admin."""
        given = form.cleaned_data
        role = Role(given["role"])
        if not change:
            made = users.add_user(given["username"], role=role, password=given["new_password"])
            obj.pk = made.pk
            return
        users.give_role(obj, role)
        if given["new_password"]:
            users.set_password(obj, given["new_password"])
            with audited(request, "user.password_set", obj, document=self.document):
                users.end_sessions(obj)

    @display(description="Role", label={"admin": "primary", "operator": "info", "viewer": "success", "none": "warning"})
    def role(self, user: User) -> str:
        """What they may do."""
        return users.role_of(user) or "none"

    @display(description="State", label={"active": "success", "off": "warning"})
    def state(self, user: User) -> str:
        """Whether the login works."""
        return "active" if user.is_active else "off"

    @display(description="Two-factor", label={"on": "success", "off": "warning"})
    def second_factor(self, user: User) -> str:
        """Whether a code is asked for."""
        return "on" if users.has_second_factor(user) else "off"

    @action("Switch on", right="change")
    def switch_on(self, request: HttpRequest, chosen: QuerySet[User]) -> None:
        """The login works again."""
        for user in chosen:
            with audited(request, "user.switched_on", user, document=self.document):
                users.set_active(user, active=True)

    @action("Switch off: the login no longer works, sessions end", right="change")
    def switch_off(self, request: HttpRequest, chosen: QuerySet[User]) -> None:
        """Nobody is deleted."""
        for user in chosen:
            with audited(request, "user.switched_off", user, document=self.document):
                users.set_active(user, active=False)

    @action("Reset two-factor sign-in: phone and codes are lost", right="change")
    def reset_two_factor(self, request: HttpRequest, chosen: QuerySet[User]) -> None:
        """They set it up anew."""
        for user in chosen:
            with audited(request, "user.two_factor_reset", user, document=self.document):
                users.reset_second_factor(user)
        messages.success(request, "Their password alone opens the console until they set it up anew.")

    @action("Sign out everywhere", right="change")
    def sign_out(self, request: HttpRequest, chosen: QuerySet[User]) -> None:
        """Each session."""
        for user in chosen:
            with audited(request, "user.signed_out", user, document=self.document):
                users.end_sessions(user)
