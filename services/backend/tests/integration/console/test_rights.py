"""Each role at each page and action: the table is the promise."""

import pytest
from django.contrib.admin import site
from django.contrib.auth.models import Group
from django.urls import reverse
from django.utils import timezone

from sms_backend.accounts import services as accounts
from sms_backend.accounts import webhooks
from sms_backend.accounts.models import Client
from sms_backend.console.admin.base import ConsoleAdmin
from sms_backend.console.groups import write_roles
from sms_backend.console.rights import ROLES, Role
from sms_backend.console.site import _pages
from sms_backend.core.crypto import seal
from sms_backend.messages.models import Parked, WebhookDelivery
from sms_backend.routing.models import Provider

ALL = {Role.VIEWER, Role.OPERATOR, Role.ADMIN}
OPERATING = {Role.OPERATOR, Role.ADMIN}
ADMIN = {Role.ADMIN}
MESSAGE = "0192f0c1-0000-7000-8000-000000000001"
#: Page to who may open it.
PAGES = {
    "/console/": ALL,
    "/console/profile/": ALL,
    "/console/password_change/": ALL,
    "/console/accounts/client/": ALL,
    "/console/accounts/client/add/": ADMIN,
    "/console/accounts/client/c0ffee000001/change/": ALL,
    "/console/accounts/apikey/": ALL,
    "/console/accounts/apikey/add/": ADMIN,
    "/console/routing/provider/": ALL,
    "/console/routing/provider/add/": ADMIN,
    "/console/routing/provider/alpha/change/": ALL,
    "/console/sms_messages/message/": ALL,
    f"/console/sms_messages/message/{MESSAGE}/change/": ALL,
    "/console/sms_messages/parked/": ALL,
    "/console/figures/": ALL,
    "/console/pauses/": ALL,
    "/console/routes/": ALL,
    "/console/suppressions/": ALL,
    "/console/accounts/webhookendpoint/": ALL,
    "/console/accounts/webhookendpoint/add/": ADMIN,
    "/console/accounts/inboundnumber/": ALL,
    "/console/accounts/inboundnumber/add/": ADMIN,
    "/console/sms_messages/webhookdelivery/": ALL,
    f"/console/sms_messages/webhookdelivery/{MESSAGE}/change/": ALL,
    "/console/sms_messages/inboundmessage/": ALL,
    "/console/auth/user/": ADMIN,
    "/console/auth/user/add/": ADMIN,
    "/console/console/auditentry/": ADMIN,
}
#: What is done by a page alone, to its arguments and who may do it.
DEEDS = {
    "pause": ([], OPERATING),
    "resume": ([1], OPERATING),
    "suppressions_import": ([], OPERATING),
    "suppressions_export": ([], OPERATING),
    "provider_trial": (["none"], OPERATING),
    "webhook_replay": (["none"], OPERATING),
    "parked_reveal": ([1], OPERATING),
}
#: Of whoever is signed in, to themselves.
THEIR_OWN = {"two_factor_off", "recovery_codes"}
#: Action on a table to who may do it, and the row that it is tried on.
ACTIONS = {
    ("accounts_client", "suspend"): OPERATING,
    ("accounts_client", "resume"): OPERATING,
    ("accounts_apikey", "revoke"): OPERATING,
    ("routing_provider", "enable"): OPERATING,
    ("routing_provider", "disable"): OPERATING,
    ("sms_messages_parked", "replay"): OPERATING,
    ("sms_messages_parked", "drop"): OPERATING,
    ("accounts_webhookendpoint", "enable"): ADMIN,
    ("accounts_webhookendpoint", "disable"): ADMIN,
    ("accounts_webhookendpoint", "rotate"): ADMIN,
    ("accounts_webhookendpoint", "replay_failed"): OPERATING,
    ("sms_messages_webhookdelivery", "replay"): OPERATING,
    ("auth_user", "switch_on"): ADMIN,
    ("auth_user", "switch_off"): ADMIN,
    ("auth_user", "reset_two_factor"): ADMIN,
    ("auth_user", "sign_out"): ADMIN,
}


@pytest.fixture
def rows(client, stored):
    stored(tracking_id=MESSAGE)
    Provider.objects.create(slug="alpha", adapter="twilio", config=seal({"account_sid": "AC1", "auth_token": "x"}))
    accounts.issue_key(client)
    Parked.objects.create(queue="sms.submissions", reason="not an envelope", body=b"{}", message_id="m#0")
    endpoint = webhooks.add_endpoint(client, "https://example.com/hook").endpoint
    WebhookDelivery.objects.create(
        id=MESSAGE,
        client=client,
        target=endpoint.id,
        mode="live",
        message_id=MESSAGE,
        version=1,
        type="message.sent",
        body=b"{}",
        state="failed",
        created_at=timezone.now(),
    )


@pytest.mark.parametrize("role", [None, *Role])
def test_each_page_opens_to_whom_it_should(login, rows, role):
    browser = login(role)
    for path, allowed in PAGES.items():
        answer = browser.get(path)
        expected = 302 if role is None else 200 if role in allowed else 403
        assert answer.status_code == expected, path
        if role is None:
            assert answer["Location"].startswith("/console/login/")


@pytest.mark.parametrize("role", Role)
def test_each_deed_is_done_for_whom_it_should_be(login, ready, role):
    browser = login(role)
    for name, (arguments, allowed) in DEEDS.items():
        path = reverse(f"admin:{name}", args=arguments)
        assert (browser.post(path).status_code == 403) == (role not in allowed), name
        assert browser.get(path).status_code in {403, 405}, name


@pytest.mark.parametrize("role", Role)
def test_each_action_is_offered_to_whom_it_should_be(login, rows, rf, role):
    browser = login(role)
    for (table, action), allowed in ACTIONS.items():
        answer = browser.get(reverse(f"admin:{table}_changelist"))
        offered = answer.status_code == 200 and f'value="{action}"' in answer.content.decode()
        assert offered == (role in allowed), (table, action)


def test_what_is_not_offered_is_not_done_either(login, rows, client):
    viewer = login(Role.VIEWER)
    viewer.post("/console/accounts/client/", {"action": "suspend", "_selected_action": [client.id]})
    viewer.post("/console/routing/provider/", {"action": "disable", "_selected_action": ["alpha"]})
    viewer.post("/console/accounts/client/c0ffee000001/change/", {"name": "mine"})
    assert not Client.objects.get().suspended
    assert Client.objects.get().name == "shop"
    assert Provider.objects.get().active


def test_the_tables_name_every_page_and_action_there_is(ready):
    pages = {reverse(f"admin:{name}") for _, _, name in _pages if name not in THEIR_OWN | DEEDS.keys()}
    pages |= {reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist") for model in site._registry}
    assert pages <= PAGES.keys(), "say who may open it"
    named = {
        (f"{model._meta.app_label}_{model._meta.model_name}", action)
        for model, page in site._registry.items()
        for action in (page.actions or ())
    }
    assert named == ACTIONS.keys(), "say who may do it"
    assert all(isinstance(page, ConsoleAdmin) for page in site._registry.values())


def test_roles_are_groups_that_follow_the_code(ready):
    group = Group.objects.get(name="viewer")
    group.permissions.clear()
    Group.objects.get(name="operator").permissions.set(Group.objects.get(name="admin").permissions.all())
    write_roles()
    for role, rights in ROLES.items():
        rows = Group.objects.get(name=role.value).permissions.values_list("content_type__app_label", "codename")
        assert {f"{app}.{codename}" for app, codename in rows} == {str(right) for right in rights}


def test_nothing_is_ever_done_to_rows_that_were_not_ticked(login, client):
    other = Client.objects.create(name="other")
    login(Role.ADMIN).post("/console/accounts/client/", {"action": "suspend", "select_across": "1", "_selected_action": [client.id]})
    assert not Client.objects.filter(suspended=True).exists()
    assert other.pk
