"""Logins of the console, and the way in."""

from dataclasses import dataclass
from uuid import uuid4

from system import System
from watched import Watched

ROLES = ("admin", "operator", "viewer")


@dataclass(frozen=True)
class Login:
    role: str
    name: str
    password: str


def make_login(system: System, role: str) -> Login:
    """By the operator's command."""
    name = f"{role}-{uuid4().hex[:6]}"
    return Login(role=role, name=name, password=system.manage("console", "user", "add", name, f"--role={role}")["password"])


def sign_in(window: Watched, login: Login) -> None:
    page = window.open("/console/")
    page.get_by_label("Username").fill(login.name)
    page.get_by_label("Password").fill(login.password)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url("**/console/")
