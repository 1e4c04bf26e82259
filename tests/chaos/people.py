"""Who sends and who takes: clients with both policies, and two simulated providers behind one wire."""

import json
from dataclasses import dataclass
from uuid import uuid4

from chaos.system import PROVIDER, System
from chaos.waiting import until
from chaos.workload import Customer
from sms_stack.calls import call

POLICIES = ("hold", "resend")


@dataclass(frozen=True, kw_only=True)
class People:
    """Made once, and used by scenario after scenario."""

    customers: list[Customer]
    accounts: dict[str, dict[str, str]]


def gather(system: System, *, providers: dict[str, dict[str, str]] | None = None) -> People:
    """By the operator's commands, as a human would. `providers`: those that are there already."""
    run = uuid4().hex[:6]
    accounts = _add_providers(system, run) if providers is None else providers
    customers = []
    for number, policy in enumerate(POLICIES):
        name = f"chaos-{run}-{number}"
        limits = ("--daily-quota=10000000", "--rate=10000", "--burst=10000")
        client = system.manage("client", "add", name, "--default-sender=CHAOS", *limits)
        customers.append(Customer(id=client["id"], key=system.manage("key", "add", name)["key"], on_unknown=policy))
    url = f"{system.instance.gateway_url}/v1/account"

    def known() -> bool:
        seen = [call(url, headers={"API-Key": customer.key}) for customer in customers]
        return all(answer.status == 200 and set(accounts) <= set(answer.document()["providers"]) for answer in seen)

    until(known, seconds=60, what="the clients and providers known to the gateway")
    return People(customers=customers, accounts=accounts)


def _add_providers(system: System, run: str) -> dict[str, dict[str, str]]:
    wire = system.wires.get(("worker", PROVIDER))
    base = f"http://127.0.0.1:{wire.port}" if wire else system.instance.simulator_url
    accounts = {}
    for slug in (f"alpha-{run}", f"beta-{run}"):
        sid, token = f"AC{uuid4().hex}", uuid4().hex
        accounts[slug] = {"sid": sid, "token": token}
        system.simulate("PUT", f"accounts/{sid}", {"auth_token": token})
        config = json.dumps({"account_sid": sid, "auth_token": token, "base_url": base})
        # Before any other of the instance: what is sent here must be taken here.
        system.manage("provider", "add", slug, "--adapter=twilio", "--priority=1000", "--config=-", feed=config)
    return accounts


def dismiss(system: System, people: People) -> None:
    """The providers are gone from routing."""
    for slug in people.accounts:
        system.manage("provider", "disable", slug)
