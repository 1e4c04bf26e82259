"""`console`: who may sign in to the web console."""

import secrets
import sys
from argparse import Namespace

from django.contrib.auth.models import User
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError

from sms_backend.core.errors import InvalidError
from sms_backend.core.operator import OperatorCommand, Shown


class Command(OperatorCommand):
    """Who may sign in."""

    help = "The web console: user."

    def verbs(self) -> None:
        user = self.verb("user", self.user, "Make a login with all rights, or give an existing one a new password.")
        user.add_argument("action", choices=("add",))
        user.add_argument("name", metavar="NAME")
        user.add_argument("--password-stdin", action="store_true", help="read the password from stdin; default: make one up and show it")

    def user(self, arguments: Namespace) -> Shown:
        password = sys.stdin.readline().rstrip("\n") if arguments.password_stdin else secrets.token_urlsafe(15)
        user = User.objects.filter(username=arguments.name).first() or User(username=arguments.name)
        user.is_staff = user.is_superuser = user.is_active = True
        try:
            user.clean_fields(exclude=["password"])
            validate_password(password, user)
        except ValidationError as error:
            raise InvalidError({"user": " ".join(error.messages)}) from None
        user.set_password(password)
        user.save()
        shown = {"name": user.username, "password": None if arguments.password_stdin else password}
        return Shown(shown, f"name      {user.username}", *([] if arguments.password_stdin else [f"password  {password}"]))
