"""Who may come in: made, given another role, switched off, helped out of a lost phone, and kept out after too many guesses."""

from uuid import uuid4

import pytest
from logins import Login, make_login, sign_in
from playwright.sync_api import expect
from tables import tick_and_do
from test_way_in import set_up_second_factor

_USERS = "/console/auth/user/"
_PASSWORD = "correct horse battery staple"


@pytest.fixture
def made(window):
    """A login that an admin has made in the console."""
    name = f"newcomer-{uuid4().hex[:6]}"
    here = window("admin")
    page = here.open(_USERS)
    page.get_by_role("link", name="Add").first.click()
    page.get_by_label("Username").fill(name)
    page.get_by_label("Role").select_option("operator")
    page.get_by_label("Password").fill(_PASSWORD)
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator("#result_list").get_by_role("link", name=name)).to_be_visible()
    return Login(role="operator", name=name, password=_PASSWORD)


def test_somebody_is_let_in_given_another_role_and_switched_off(window, made):
    here, theirs = window("admin"), window(None)
    sign_in(theirs, made)
    page = theirs.open("/console/pauses/")
    expect(page.get_by_role("button", name="Hold")).to_be_visible()
    assert page.get_by_role("link", name="Users").count() == 0

    page = here.open(f"{_USERS}?q={made.name}")
    page.get_by_role("link", name=made.name).click()
    page.get_by_label("Role").select_option("viewer")
    assert here.audit() == []
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator("#result_list")).to_contain_text("viewer")
    assert theirs.open("/console/pauses/").get_by_role("button", name="Hold").count() == 0

    here.open(f"{_USERS}?q={made.name}")
    tick_and_do(here, made.name, "Switch off: the login no longer works, sessions end")
    expect(page.get_by_role("row", name=made.name)).to_contain_text("off")
    assert "/login/" in theirs.open("/console/").url
    page = theirs.open("/console/")
    page.get_by_label("Username").fill(made.name)
    page.get_by_label("Password").fill(made.password)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_text("Please enter the correct username and password")).to_be_visible()

    trail = here.open(f"/console/console/auditentry/?q={made.name}").locator("#result_list").inner_text()
    assert all(action in trail for action in ("user.added", "user.changed", "user.switched_off", "sign_in.passed")), trail


def test_whoever_lost_phone_and_codes_is_let_in_by_the_password_again(window, made):
    theirs = window(None)
    sign_in(theirs, made)
    set_up_second_factor(theirs)
    here = window("admin")
    page = here.open(f"{_USERS}?q={made.name}")
    expect(page.get_by_role("row", name=made.name).locator(".field-second_factor")).to_have_text("on")
    tick_and_do(here, made.name, "Reset two-factor sign-in: phone and codes are lost")
    expect(page.get_by_text("Their password alone opens the console")).to_be_visible()
    expect(page.get_by_role("row", name=made.name).locator(".field-second_factor")).to_have_text("off")
    sign_in(window(None), made)


def test_ten_wrong_passwords_close_the_door_until_somebody_opens_it(window, system):
    login = make_login(system, "viewer")
    here = window(None)
    here.expected.add(429)
    page = here.open("/console/login/")
    try:
        for _ in range(10):
            page.get_by_label("Username").fill(login.name)
            page.get_by_label("Password").fill("a guess")
            page.get_by_role("button", name="Log in").click()
            page.wait_for_load_state()
        expect(page.get_by_role("heading", name="Too many wrong passwords")).to_be_visible()
        assert here.audit() == []
        page = here.open("/console/login/")
        page.get_by_label("Username").fill(login.name)
        page.get_by_label("Password").fill(login.password)
        page.get_by_role("button", name="Log in").click()
        expect(page.get_by_role("heading", name="Too many wrong passwords")).to_be_visible()
    finally:
        system.manage("console", "unlock")
    sign_in(here, login)
