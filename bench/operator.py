"""The operator's commands, as he would type them, and what the pipeline benchmark sets up by them: a client, its key, a provider."""

import hashlib
import hmac
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

from bench.errors import Unprepared
from sms_stack.calls import call
from sms_stack.home import ROOT

CLIENT = "bench"
PROVIDER = "bench"
ACCOUNT = "AC" + hashlib.sha256(b"bench").hexdigest()[:32]
#: Far above what can be reached, and still checked and charged at every message.
_LIMITS = ("--rate=1000000", "--burst=1000000", "--daily-quota=1000000000")


def manage(*arguments: str, feed: str | None = None) -> Any:
    """Run one with `--json`, and read what it says."""
    command = [sys.executable, "-m", "sms_backend", *arguments, "--json"]
    run = subprocess.run(command, cwd=ROOT, input=feed, capture_output=True, text=True, check=False)
    if run.returncode != 0:
        raise Unprepared(f"`./smsgw manage {' '.join(arguments[:2])}` failed: {(run.stderr or run.stdout).strip()[-800:]}")
    return json.loads(run.stdout)


@contextmanager
def customer(settings: Mapping[str, str], simulator_url: str, *, reports: bool = False, receiver_url: str | None = None) -> Iterator[str]:
    """
    A client with a key (which is handed out), and a provider that takes everything at once; out of use afterwards.

    With `reports` the provider says of each message that it is sent and that it is delivered; at `receiver_url` the client hears of those
    that are.
    """
    token = hmac.new(settings["SMSGW_CALLBACK_SECRET"].encode(), b"bench", hashlib.sha256).hexdigest()[:32]
    _set_up_simulator(simulator_url, token, reports=reports)
    with ExitStack() as stack:
        _set_up_provider(simulator_url, token)
        stack.callback(manage, "provider", "disable", PROVIDER)
        _set_up_client()
        stack.callback(manage, "client", "suspend", CLIENT)
        key = manage("key", "add", CLIENT)
        stack.callback(manage, "key", "revoke", key["key_id"])
        if receiver_url is not None:
            endpoint = manage("webhook", "add", CLIENT, receiver_url, "--type=message.delivered")
            stack.callback(manage, "webhook", "disable", endpoint["endpoint_id"])
        yield key["key"]


def _set_up_simulator(url: str, token: str, *, reports: bool) -> None:
    settings = {"auth_token": token, "behaviour": {} if reports else {"reports": {"statuses": []}}}
    answer = call(f"{url}/control/accounts/{ACCOUNT}", method="PUT", body=settings)
    if answer.status != 200:
        raise Unprepared(f"The simulator refuses the account: {answer.status} {answer.text[:300]}")


def _set_up_provider(url: str, token: str) -> None:
    config = json.dumps({"account_sid": ACCOUNT, "auth_token": token, "base_url": url})
    if PROVIDER not in {one["slug"] for one in manage("provider", "list")}:
        # Last of all, should smart selection come by while it is active.
        manage("provider", "add", PROVIDER, "--adapter=twilio", "--priority=-1000", "--config=-", feed=config)
        return
    manage("provider", "set", PROVIDER, "--config=-", feed=config)
    manage("provider", "enable", PROVIDER)


def _set_up_client() -> None:
    if CLIENT not in {one["name"] for one in manage("client", "list")}:
        manage("client", "add", CLIENT, *_LIMITS)
        return
    manage("client", "set", CLIENT, *_LIMITS)
    manage("client", "resume", CLIENT)
