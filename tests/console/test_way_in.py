"""Signing in with a second factor, and a look of one's own."""

import base64
import hashlib
import hmac
import struct
import time

from logins import make_login, sign_in
from watched import Watched


def _code(key: str, *, steps: int = 0) -> str:
    """RFC 6238, written out here: the console's own arithmetic is what is tested."""
    counter = struct.pack(">Q", int(time.time()) // 30 + steps)
    digest = hmac.new(base64.b32decode(key), counter, hashlib.sha1).digest()
    at = digest[-1] & 15
    return f"{(struct.unpack('>I', digest[at : at + 4])[0] & 0x7FFFFFFF) % 1_000_000:06d}"


def set_up_second_factor(here: Watched) -> list[str]:
    """By whoever is signed in; the recovery codes."""
    page = here.open("/console/profile/")
    assert here.audit() == []
    page.get_by_role("link", name="Set it up").click()
    page.locator("#qr svg").wait_for()
    assert here.audit() == []
    page.get_by_label("Code").fill(_code(page.locator("#totp-key").inner_text()))
    page.get_by_role("button", name="Turn it on").click()
    page.locator("#recovery-codes").wait_for()
    assert here.audit() == []
    return page.locator("#recovery-codes li").all_inner_texts()


def test_somebody_sets_up_an_app_and_is_asked_for_its_code_from_then_on(window, system):
    login = make_login(system, "operator")
    here = window(None)
    sign_in(here, login)
    codes = set_up_second_factor(here)
    assert len(codes) == 10

    again = window(None)
    page = again.open("/console/")
    page.get_by_label("Username").fill(login.name)
    page.get_by_label("Password").fill(login.password)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url("**/login/code/**")
    assert again.audit() == []
    page.get_by_label("Code").fill(codes[0])
    page.get_by_role("button", name="Go on").click()
    page.wait_for_url("**/console/")


def test_whoever_may_not_is_told_so_in_plain_words(window):
    here = window("viewer")
    here.expected.add(403)
    page = here.open("/console/auth/user/")
    assert "Your role does not allow this" in page.content()
    assert here.audit() == []
    here.expected.add(404)
    assert "There is nothing here" in here.open("/console/sms_messages/message/0192f0c1-0000-7000-8000-000000000001/change/").content()


def test_a_look_is_chosen_and_kept(window):
    page = window("viewer", color_scheme="light").open("/console/profile/")
    page.get_by_role("group", name="Theme").get_by_role("button", name="Dark").click()
    page.wait_for_function("() => document.documentElement.classList.contains('dark')")
    page.reload()
    page.wait_for_function("() => document.documentElement.classList.contains('dark')")
