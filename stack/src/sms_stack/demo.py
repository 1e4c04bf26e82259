"""`./smsgw demo`: two simulated providers, a client with its keys, a console login, and three stories; it can be run again and again."""

import hashlib
import hmac
import json
import secrets
from collections.abc import Callable
from typing import Any

from sms_stack import lifecycle
from sms_stack import status as state
from sms_stack.calls import call
from sms_stack.errors import StackError
from sms_stack.home import Home, write_private
from sms_stack.instance import Instance
from sms_stack.lifecycle import manage
from sms_stack.progress import step
from sms_stack.stories import REFUSED_RECIPIENT, REFUSING, Stage, Story, delivered, failed_over, replayed

CLIENT = "demo"
CONSOLE_USER = "demo"
#: With their priorities: the higher number is tried first.
PROVIDERS = {REFUSING: 20, "beta": 10}


def run(home: Home) -> dict[str, Any]:
    """The whole demo as a document; `ok` only if every message arrived."""
    instance = lifecycle.up(home, simulator=True)
    with home.lock():
        tokens = {slug: _auth_token(instance, slug) for slug in PROVIDERS}
        with step("Setting up two simulated providers, a client and a console login"):
            _set_up_simulator(instance, tokens)
            strangers = _set_up_providers(instance, tokens)
            credentials = _set_up_client(instance)
    stage = Stage(
        gateway_url=instance.gateway_url,
        simulator_url=instance.simulator_url,
        key=credentials["live_key"],
        # Where there are real providers too the demo's are named, because a demo must not reach anybody.
        providers=list(PROVIDERS) if strangers else [],
        timeline=lambda tracking_id: json.loads(manage(instance, "message", "show", tracking_id, "--json")),
    )
    told: list[Story] = []
    stories: list[tuple[str, Callable[[Stage], Story]]] = [
        ("A message is delivered", delivered),
        ("A message fails over", failed_over),
        ("A request is repeated", replayed),
    ]
    for title, tell in stories:
        with step(title):
            told.append(tell(stage))
    return {
        "ok": all(story.ok for story in told),
        "stories": [story.document() for story in told],
        "curl": curl(instance.gateway_url, credentials["live_key"]),
        **state.document(home),
    }


def curl(gateway_url: str, key: str) -> str:
    """Ready to paste."""
    body = json.dumps({"to": "+447700900123", "text": "Hello from the gateway"})
    return (
        f"curl -sS {gateway_url}/v1/messages -H 'API-Key: {key}' -H 'Content-Type: application/json' "
        f"-H \"Idempotency-Key: hello-$(date +%s)\" -d '{body}'"
    )


def account_sid(slug: str) -> str:
    """As Twilio writes them: AC and 32 hexadecimal digits."""
    return "AC" + hashlib.sha256(f"demo {slug}".encode()).hexdigest()[:32]


def _auth_token(instance: Instance, slug: str) -> str:
    return hmac.new(instance.credentials.callback_secret.encode(), slug.encode(), hashlib.sha256).hexdigest()[:32]


def _set_up_simulator(instance: Instance, tokens: dict[str, str]) -> None:
    """One has too much to do whenever it is asked for one certain number: Twilio's documented 429 with code 20429."""
    too_many = {"action": "refuse", "http_status": 429, "code": 20429, "to": [REFUSED_RECIPIENT]}
    reports = {"statuses": [{"status": "sent", "delay": 0.2}, {"status": "delivered", "delay": 0.3}]}
    for slug, token in tokens.items():
        behaviour = {"rules": [too_many] if slug == REFUSING else [], "reports": reports}
        url = f"{instance.simulator_url}/control/accounts/{account_sid(slug)}"
        answer = call(url, method="PUT", body={"auth_token": token, "behaviour": behaviour})
        if answer.status != 200:
            raise StackError(f"The simulator refuses the account {slug}: {answer.status} {answer.text[:300]}")


def _set_up_providers(instance: Instance, tokens: dict[str, str]) -> bool:
    """Whether others are there that could be selected for the demo's messages."""
    known = {provider["slug"]: provider for provider in json.loads(manage(instance, "provider", "list", "--json"))}
    for slug, priority in PROVIDERS.items():
        configuration = {"account_sid": account_sid(slug), "auth_token": tokens[slug], "base_url": instance.simulator_url}
        told = json.dumps(configuration)
        if slug not in known:
            manage(instance, "provider", "add", slug, "--adapter=twilio", f"--priority={priority}", "--config=-", "--json", feed=told)
            continue
        if known[slug]["config"].get("account_sid") != account_sid(slug):
            raise StackError(
                f"There is a provider {slug} that is not the demo's. Run the demo in an instance of its own: SMSGW_HOME=… ./smsgw demo"
            )
        manage(instance, "provider", "set", slug, "--config=-", "--json", feed=told)
        if not known[slug]["active"]:
            manage(instance, "provider", "enable", slug, "--json")
    return any(provider["adapter"] != "test" and slug not in PROVIDERS for slug, provider in known.items())


def _set_up_client(instance: Instance) -> dict[str, str]:
    """Made once; what an earlier demo made is used while its key still works."""
    kept = state.demo_credentials(instance.home)
    if kept and call(f"{instance.gateway_url}/v1/account", headers={"API-Key": kept["live_key"]}).status == 200:
        return kept
    clients = json.loads(manage(instance, "client", "list", "--json"))
    if CLIENT not in {client["name"] for client in clients}:
        manage(instance, "client", "add", CLIENT, "--default-sender=DEMO", "--daily-quota=10000", "--rate=100", "--json")
    keys = {mode: json.loads(manage(instance, "key", "add", CLIENT, f"--mode={mode}", "--json"))["key"] for mode in ("live", "test")}
    password = secrets.token_urlsafe(12)
    manage(instance, "console", "user", "add", CONSOLE_USER, "--password-stdin", "--json", feed=password)
    made = {
        "client": CLIENT,
        "live_key": keys["live"],
        "test_key": keys["test"],
        "console_user": CONSOLE_USER,
        "console_password": password,
    }
    write_private(instance.home.path / "demo.json", json.dumps(made, indent=2) + "\n")
    return made
