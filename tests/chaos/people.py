"""Who sends and who takes: clients with both policies, and two simulated providers behind one wire, of the vendor that a scenario wants."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import uuid4

from chaos.system import PROVIDER, System
from chaos.waiting import until
from chaos.workload import Customer
from sms_stack.calls import call

POLICIES = ("hold", "resend")
#: Posts reports, signed, to an address of each message's own.
TWILIO = "twilio"
#: Is asked: what it has, by our reference, and what became of it.
KAVENEGAR = "kavenegar"

#: Of an account with the simulator: vendor, name and secret.
type Account = Mapping[str, str]


@dataclass(kw_only=True)
class People:
    """Made once, and used by scenario after scenario."""

    customers: list[Customer]
    vendors: dict[str, dict[str, Account]] = field(default_factory=dict)  #: accounts by slug, by vendor
    vendor: str = ""  #: whose accounts take messages now

    @property
    def accounts(self) -> dict[str, Account]:
        """Those that take messages now, by slug."""
        return self.vendors[self.vendor]

    def turn_to(self, system: System, vendor: str) -> None:
        """Have this vendor's accounts take what is sent from now on, and no other's."""
        if vendor == self.vendor:
            return
        if self.vendor:
            dismiss(system, self)
        if vendor in self.vendors:
            for slug in self.vendors[vendor]:
                system.manage("provider", "enable", slug)
        else:
            self.vendors[vendor] = _add_providers(system, vendor)
        self.vendor = vendor
        self._wait_until_known(system)

    def _wait_until_known(self, system: System) -> None:
        url = f"{system.instance.gateway_url}/v1/account"

        def known() -> bool:
            seen = [call(url, headers={"API-Key": customer.key}) for customer in self.customers]
            return all(answer.status == 200 and set(self.accounts) <= set(answer.document()["providers"]) for answer in seen)

        until(known, seconds=60, what="the clients and providers known to the gateway")


def gather(system: System, *, like: People | None = None) -> People:
    """By the operator's commands, as a human would. `like`: whose providers are there already."""
    run = uuid4().hex[:6]
    customers = []
    for number, policy in enumerate(POLICIES):
        name = f"chaos-{run}-{number}"
        limits = ("--daily-quota=10000000", "--rate=10000", "--burst=10000")
        client = system.manage("client", "add", name, "--default-sender=CHAOS", *limits)
        customers.append(Customer(id=client["id"], key=system.manage("key", "add", name)["key"], on_unknown=policy))
    people = People(customers=customers)
    if like is None:
        people.turn_to(system, TWILIO)
    else:
        people.vendors, people.vendor = like.vendors, like.vendor
        people._wait_until_known(system)
    return people


def _add_providers(system: System, vendor: str) -> dict[str, Account]:
    wire = system.wires.get(("worker", PROVIDER))
    base = f"http://127.0.0.1:{wire.port}" if wire else system.instance.simulator_url
    run = uuid4().hex[:6]
    accounts: dict[str, Account] = {}
    for slug in (f"alpha-{run}", f"beta-{run}"):
        account = accounts[slug] = {"vendor": vendor, "sid": f"AC{uuid4().hex}", "token": uuid4().hex}
        system.simulate("PUT", f"accounts/{account['sid']}", settings_of(account))
        secrets = {
            TWILIO: {"account_sid": account["sid"], "auth_token": account["token"]},
            KAVENEGAR: {"api_key": account["token"]},
        }
        config = json.dumps({**secrets[vendor], "base_url": base})
        # Before any other of the instance: what is sent here must be taken here.
        system.manage("provider", "add", slug, f"--adapter={vendor}", "--priority=1000", "--config=-", feed=config)
    return accounts


def settings_of(account: Account, **more: object) -> dict[str, object]:
    """What the simulator is told of an account."""
    return {"vendor": account["vendor"], "auth_token": account["token"], **more}


def dismiss(system: System, people: People) -> None:
    """The providers are gone from routing."""
    for slug in people.accounts:
        system.manage("provider", "disable", slug)
