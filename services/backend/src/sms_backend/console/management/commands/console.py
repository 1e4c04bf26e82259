"""`console`: who may sign in to the web console."""

import secrets
import sys
from argparse import Namespace

from axes.utils import reset
from django.contrib.auth.models import User

from sms_backend.console import users
from sms_backend.console.rights import Role
from sms_backend.core.errors import InvalidError
from sms_backend.core.operator import OperatorCommand, Shown, fields, table

_ACTIONS = ("add", "list", "on", "off", "reset-two-factor", "sign-out")
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
        if arguments.action in {"on", "off"}:
            users.set_active(user, active=arguments.action == "on")
        elif arguments.action == "reset-two-factor":
            users.reset_second_factor(user)
        else:
            users.end_sessions(user)
        shown = users.document(user)
        return Shown(shown, *fields(shown))

    def unlock(self, _arguments: Namespace) -> Shown:
        forgotten = reset()
        return Shown({"forgotten": forgotten}, f"{forgotten} forgotten")

    def _add(self, arguments: Namespace) -> Shown:
        password = sys.stdin.readline().rstrip("\n") if arguments.password_stdin else secrets.token_urlsafe(15)
        user = users.add_user(arguments.name, role=Role(arguments.role), password=password)
        told = None if arguments.password_stdin else password
        shown = {"name": user.username, "role": arguments.role, "password": told}
        return Shown(shown, *fields({name: value for name, value in shown.items() if value is not None}))
