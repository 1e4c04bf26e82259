import base64
import time

import pytest
from django.contrib.auth.models import User
from django.test import Client as Browser
from django_otp.oath import TOTP

from sms_backend.console import users
from sms_backend.console.models import AuditEntry, Recovery, Totp
from sms_backend.console.rights import Role

PASSWORD = "correct horse battery"
CHECK = "/console/login/code/"
SET_UP = "/console/login/set-up/"


def code_of(totp, *, steps=0):
    """What the app shows, so many half minutes from now."""
    oath = TOTP(base64.b32decode(totp.key), step=30)
    oath.time = time.time() + 30 * steps
    return f"{oath.token():06d}"


def sign_in(browser, name="ann", password=PASSWORD, **more):
    return browser.post("/console/login/", {"username": name, "password": password, "next": "/console/"}, **more)


def actions():
    return list(AuditEntry.objects.order_by("id").values_list("action", flat=True))


@pytest.fixture
def ann(ready):
    return users.add_user("ann", role=Role.OPERATOR, password=PASSWORD)


@pytest.fixture
def enrolled(ann):
    """Ann with an authenticator app, and her recovery codes."""
    browser = Browser()
    sign_in(browser)
    browser.get(SET_UP)
    totp = Totp.objects.get(user=ann)
    used = code_of(totp)
    answer = browser.post(SET_UP, {"code": used, "next": "/console/"})
    totp.refresh_from_db()
    totp.used = used
    assert totp.confirmed
    return totp, [code.partition("<")[0] for code in answer.content.decode().split("<li>") if code[5:6] == "-"]


def test_a_password_opens_and_is_written_down(ann):
    browser = Browser()
    assert sign_in(browser)["Location"] == "/console/"
    assert browser.get("/console/").status_code == 200
    browser.post("/console/logout/")
    assert browser.get("/console/").status_code == 302
    assert actions() == ["sign_in.passed", "sign_in.ended"]
    entry = AuditEntry.objects.earliest("id")
    assert (entry.who, entry.address) == ("ann", "127.0.0.1")


def test_whoever_came_to_the_way_in_itself_gets_to_the_first_page(ann):
    assert Browser().post("/console/login/", {"username": "ann", "password": PASSWORD})["Location"] == "/console/"


def test_after_ten_wrong_passwords_an_address_waits_also_with_the_right_one(ann, manage_json):
    browser = Browser()
    for _ in range(10):
        answer = sign_in(browser, password="wrong")
    assert answer.status_code == 429
    assert "Too many wrong passwords" in answer.content.decode()
    assert sign_in(browser).status_code == 429
    assert sign_in(browser, REMOTE_ADDR="192.0.2.7").status_code == 302
    assert actions().count("sign_in.locked") == 1
    assert manage_json("console", "unlock")["forgotten"] >= 1
    assert sign_in(browser).status_code == 302


def test_a_name_that_nobody_has_is_not_kept(ann):
    sign_in(Browser(), name="hunter2 which is my password")
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.who, entry.object_name) == ("sign_in.failed", "", "")


def test_who_has_an_app_is_asked_for_its_code(ann, enrolled):
    totp, _ = enrolled
    browser = Browser()
    sign_in(browser)
    for path in ("/console/", "/console/sms_messages/message/", "/console/profile/", "/console/password_change/"):
        assert browser.get(path)["Location"].startswith("/console/login/"), path
    assert browser.get("/console/login/?next=/console/profile/")["Location"] == f"{CHECK}?next=%2Fconsole%2Fprofile%2F"
    assert browser.post(CHECK, {"code": "000000"}).status_code == 200
    assert browser.get("/console/").status_code == 302
    Totp.objects.filter(pk=totp.pk).update(throttling_failure_count=0)
    assert browser.post(CHECK, {"code": code_of(totp, steps=1), "next": "/console/profile/"})["Location"] == "/console/profile/"
    assert browser.get("/console/").status_code == 200
    assert actions()[-3:] == ["sign_in.passed", "sign_in.code_failed", "sign_in.code_passed"]


def test_a_code_is_good_once_and_wrong_ones_make_the_next_wait(ann, enrolled):
    totp, _ = enrolled
    browser = Browser()
    sign_in(browser)
    assert browser.post(CHECK, {"code": totp.used}).status_code == 200, "it was used to set it up"
    # As after the tenth wrong one, so that however slow the machine is the wait is not over.
    Totp.objects.filter(pk=totp.pk).update(throttling_failure_count=10)
    assert browser.post(CHECK, {"code": code_of(totp, steps=1)}).status_code == 200, "it came too soon after wrong ones"
    assert browser.get("/console/").status_code == 302


def test_a_recovery_code_opens_once(ann, enrolled):
    _, codes = enrolled
    assert len(codes) == 10
    browser, again = Browser(), Browser()
    sign_in(browser)
    assert browser.post(CHECK, {"code": codes[3].upper()}).status_code == 302
    assert browser.get("/console/").status_code == 200
    sign_in(again)
    assert again.post(CHECK, {"code": codes[3]}).status_code == 200
    assert again.get("/console/").status_code == 302
    assert len(Recovery.objects.get(user=ann).hashes) == 9


def test_neither_key_nor_recovery_codes_lie_in_the_database_as_they_are(ann, enrolled):
    totp, codes = enrolled
    assert totp.key not in totp.sealed_key
    assert not any(code in str(Recovery.objects.get(user=ann).hashes) for code in codes)


def test_where_it_is_required_nothing_opens_before_it_is_set_up(ann, settings):
    settings.CONSOLE_REQUIRES_TWO_FACTOR = True
    browser = Browser()
    sign_in(browser)
    assert browser.get("/console/")["Location"].startswith("/console/login/")
    assert browser.get("/console/login/?next=/console/")["Location"].startswith(SET_UP)
    page = browser.get(SET_UP).content.decode()
    assert "<svg" in page
    totp = Totp.objects.get(user=ann)
    assert totp.key in page
    assert "recovery codes" in browser.post(SET_UP, {"code": code_of(totp)}).content.decode()
    assert browser.get("/console/").status_code == 200


def test_whoever_owes_the_code_can_go_away_again(ann, enrolled):
    browser = Browser()
    sign_in(browser)
    assert browser.post("/console/login/leave/")["Location"] == "/console/login/"
    assert browser.get(CHECK)["Location"] == "/console/login/"


def test_turning_it_off_needs_the_password(ann, enrolled):
    totp, _ = enrolled
    browser = Browser()
    sign_in(browser)
    browser.post(CHECK, {"code": code_of(totp, steps=1)})
    assert browser.post("/console/profile/two-factor-off/", {"password": "wrong"}).status_code == 400
    assert users.has_second_factor(ann)
    browser.post("/console/profile/two-factor-off/", {"password": PASSWORD})
    assert not users.has_second_factor(ann)
    assert actions()[-1] == "user.two_factor_off"
    assert browser.get("/console/").status_code == 200


def test_another_host_is_nowhere_to_go_after_signing_in(ann, enrolled):
    totp, _ = enrolled
    browser = Browser()
    sign_in(browser)
    assert browser.post(CHECK, {"code": code_of(totp, steps=1), "next": "https://evil.example/"})["Location"] == "/console/"


def test_the_last_admin_stays_and_whoever_is_switched_off_is_out(login):
    root = login(Role.ADMIN, "root")
    ann = login(Role.OPERATOR, "ann")
    root.post("/console/auth/user/", {"action": "switch_off", "_selected_action": [User.objects.get(username="root").pk]})
    assert root.get("/console/").status_code == 200
    assert ann.get("/console/").status_code == 200
    root.post("/console/auth/user/", {"action": "switch_off", "_selected_action": [User.objects.get(username="ann").pk]})
    assert ann.get("/console/").status_code == 302
    assert not User.objects.get(username="ann").is_active
    assert actions() == ["sign_in.passed", "sign_in.passed", "user.switched_off"]


def test_commands_make_list_and_mend_logins(ready, manage_json, ann):
    made = manage_json("console", "user", "add", "vic", "--role", "viewer")
    assert (made["role"], len(made["password"]) >= 12) == ("viewer", True)
    assert {row["name"]: row["role"] for row in manage_json("console", "user", "list")} == {"ann": "operator", "vic": "viewer"}
    assert manage_json("console", "user", "off", "vic")["active"] is False
    Totp.made_for(ann)
    Totp.objects.update(confirmed=True)
    assert manage_json("console", "user", "reset-two-factor", "ann")["two_factor"] is False
