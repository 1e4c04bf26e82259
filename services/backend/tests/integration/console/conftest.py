"""Who looks at the console, and what a page says."""

import html
import re
from collections.abc import Callable

import pytest
from django.http import HttpResponse
from django.test import Client as Browser

from sms_backend.console import users
from sms_backend.console.rights import Role

PASSWORD = "correct horse battery"


@pytest.fixture(autouse=True)
def _quick_passwords(settings) -> None:
    """A hash that is slow on purpose proves nothing here."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def login(ready) -> Callable[..., Browser]:
    """Somebody of a role, signed in; None: a stranger."""

    def sign_in(role: Role | str | None, name: str | None = None) -> Browser:
        browser = Browser()
        if role is not None:
            browser.force_login(users.add_user(name or str(role), role=Role(role), password=PASSWORD))
        return browser

    return sign_in


@pytest.fixture
def admin(login) -> Browser:
    return login(Role.ADMIN)


@pytest.fixture
def page() -> Callable[[HttpResponse], str]:
    """The markup of a page that opens."""

    def read(answer: HttpResponse) -> str:
        assert answer.status_code == 200, (answer.status_code, answer.headers.get("Location"))
        return answer.content.decode()

    return read


@pytest.fixture
def text(page) -> Callable[[HttpResponse], str]:
    """What people read of a page that opens."""

    def read(answer: HttpResponse) -> str:
        bare = re.sub(r"<(script|style)\b.*?</\1>", " ", page(answer), flags=re.DOTALL)
        return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", bare))).strip()

    return read
