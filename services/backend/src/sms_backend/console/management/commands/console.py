"""`console`: who may sign in to the web console."""

import secrets
import sys
from argparse import Namespace
from collections.abc import Callable
from functools import partial

from axes.utils import reset
from django.contrib.auth.models import User
from django.db import transaction

from sms_backend.console import users
from sms_backend.console.actors import operator
from sms_backend.console.audit import audited, difference, record
from sms_backend.console.rights import Role
from sms_backend.core.errors import InvalidError
from sms_backend.core.operator import OperatorCommand, Shown, fields, table

_CHANGES: dict[str, tuple[str, Callable[[User], None]]] = {
    "on": ("user.switched_on", partial(users.set_active, active=True)),
    "off": ("user.switched_off", partial(users.set_active, active=False)),
    "reset-two-factor": ("user.two_factor_reset", users.reset_second_factor),
    "sign-out": ("user.signed_out", users.end_sessions),
}
_ACTIONS = ("add", "list", *_CHANGES)
_COLUMNS = ("name", "role", "active", "two_factor", "last_sign_in")


class Command(OperatorCommand):
    """Who may sign in."""

    help = "The web console: user, unlock."

    def verbs(self) -> None:
        user = self.verb(
            "user",
            self.user,
            "Make a login, or give an existing one a new password and role; list logins; switch one on or off; "
            "reset its two-factor sign-in; sign it out everywhere.",
        )
        user.add_argument("action", choices=_ACTIONS)
        user.add_argument("name", metavar="NAME", nargs="?", help="whose; with `list` nobody's")
        user.add_argument("--role", choices=[role.value for role in Role], default=Role.ADMIN.value, help="default: admin")
        user.add_argument("--password-stdin", action="store_true", help="read the password from stdin; default: make one up and show it")
        self.verb("unlock", self.unlock, "Forget wrong passwords: addresses that are shut out may sign in again at once.")

    def user(self, arguments: Namespace) -> Shown:
        if arguments.action == "list":
            rows = [users.document(user) for user in User.objects.prefetch_related("groups").order_by("username")]
            return Shown(rows, *(table(rows, _COLUMNS) if rows else ["nobody may sign in; `console user add NAME` makes a login"]))
        if not arguments.name:
            raise InvalidError({"NAME": f"`console user {arguments.action}` needs to know whose"})
        if arguments.action == "add":
            return self._add(arguments)
        user = users.user_named(arguments.name)
        deed, change = _CHANGES[arguments.action]
        with audited(operator(), deed, user, document=users.kept):
            change(user)
        shown = users.document(user)
        return Shown(shown, *fields(shown))

    def unlock(self, _arguments: Namespace) -> Shown:
        forgotten = reset()
        record(operator(), "sign_in.unlocked", changes={"forgotten": forgotten})
        return Shown({"forgotten": forgotten}, f"{forgotten} forgotten")

    def _add(self, arguments: Namespace) -> Shown:
        password = sys.stdin.readline().rstrip("\n") if arguments.password_stdin else secrets.token_urlsafe(15)
        with transaction.atomic():
            known = User.objects.filter(username=arguments.name).first()
            before = {} if known is None else users.kept(known)
            user = users.add_user(arguments.name, role=Role(arguments.role), password=password)
            deed = "user.added" if known is None else "user.password_set"
            record(operator(), deed, user, changes=difference(before, users.kept(user)))
        told = None if arguments.password_stdin else password
        shown = {"name": user.username, "role": arguments.role, "password": told}
        return Shown(shown, *fields({name: value for name, value in shown.items() if value is not None}))
