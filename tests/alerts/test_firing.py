"""What the alerts are for is done to a running system, and they fire, and rest again when it is over. `./smsgw test alerts`."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import amqp
import httpx
import pytest
from prometheus import Prometheus
from system import Sender, System, until

from sms_contract import topology
from sms_stack.home import Home
from sms_stack.pytest_services import address_of
from sms_stack.supervision import Supervisor

pytestmark = pytest.mark.timeout(180)


@contextmanager
def stopped(name: str) -> Iterator[None]:
    """A process or a service is not there until the block ends."""
    supervisor = Supervisor(home=Home.from_environment())
    supervisor.stop([name])
    try:
        yield
    finally:
        supervisor.start([name])


@contextmanager
def frozen(system: System, name: str) -> Iterator[None]:
    """A process of the system hangs until the block ends."""
    system.signal(name, signal.SIGSTOP)
    try:
        yield
    finally:
        system.signal(name, signal.SIGCONT)


def test_nothing_fires_while_all_is_well(prometheus: Prometheus) -> None:
    assert prometheus.firing() == {}


@pytest.mark.parametrize(("process", "alert"), [("gateway", "GatewayDown"), ("web", "BackendDown"), ("postgresql", "DatabaseDown")])
def test_what_is_gone_is_told_of(system: System, prometheus: Prometheus, process: str, alert: str) -> None:
    with stopped(process):
        prometheus.fires(alert, seconds=60)
    prometheus.rests(alert, seconds=60)
    until(system.is_ready, seconds=60, what="the system ready again")


@pytest.mark.parametrize(("process", "alert"), [("rabbitmq", "BrokerDown"), ("redis", "CacheNotReady")])
def test_what_hangs_is_told_of_where_it_is_needed(system: System, prometheus: Prometheus, process: str, alert: str) -> None:
    shop = system.add_sender("--default-sender=ALERT")
    with frozen(system, process):
        until(lambda: _refused(shop) and alert in prometheus.firing(), seconds=60, what=f"{alert} firing")
    prometheus.rests(alert, seconds=60)
    until(system.is_ready, seconds=60, what="the system ready again")


def _refused(shop: Sender) -> bool:
    try:
        return shop.send().status_code == 503
    except httpx.HTTPError:
        return True


def test_pauses_and_what_they_hold_are_told_of(system: System, prometheus: Prometheus) -> None:
    vendor = system.add_provider(reports={"statuses": [{"status": "delivered", "delay": 0.05}]})
    shop = system.add_sender("--default-sender=ALERT")
    until(lambda: vendor.slug in shop.account()["providers"], what="client and provider known")
    system.manage("pause", "--lane", "otp")
    held = shop.send(traffic_type="otp").raise_for_status().json()["tracking_id"]
    prometheus.fires("SomethingIsPaused")
    assert prometheus.fires("OneTimePasswordsWait", seconds=60)["severity"] == "page"
    system.manage("resume", "--lane", "otp")
    assert shop.final(held)["status"] == "delivered"
    prometheus.rests("SomethingIsPaused")
    prometheus.rests("OneTimePasswordsWait")


def test_an_ill_provider_is_told_of_by_its_name(system: System, prometheus: Prometheus) -> None:
    vendor = system.add_provider(rules=[{"action": "refuse", "http_status": 503}])
    shop = system.add_sender("--default-sender=ALERT")
    until(lambda: vendor.slug in shop.account()["providers"], what="client and provider known")

    def ill() -> bool:
        shop.send(providers=[vendor.slug])
        return any(labels["provider"] == vendor.slug for labels in prometheus.firing().get("ProviderCircuitOpen", []))

    until(ill, seconds=60, what="ProviderCircuitOpen firing")
    system.manage("provider", "disable", vendor.slug)
    prometheus.rests("ProviderCircuitOpen", seconds=60)


def test_money_that_runs_out_is_told_of(system: System, prometheus: Prometheus) -> None:
    vendor = system.add_provider("--low-balance", "5000")
    assert prometheus.fires("ProviderBalanceLow", seconds=60)["provider"] == vendor.slug
    system.manage("provider", "set", vendor.slug, "--low-balance", "1")
    prometheus.rests("ProviderBalanceLow")


def test_what_cannot_be_read_is_told_of_until_somebody_has_dealt_with_it(system: System, prometheus: Prometheus) -> None:
    name = uuid4().hex
    with amqp.Connection(**address_of(system.instance.settings["RABBITMQ_URL"])) as connection:
        message = amqp.Message(b"not an envelope", message_id=name, delivery_mode=2)
        connection.channel().basic_publish(message, exchange=topology.EXCHANGE, routing_key=topology.SUBMISSIONS)
    prometheus.fires("SomethingParked")
    (row,) = (row for row in system.manage("parked", "list") if row["message_id"] == f"{name}#0")
    system.manage("parked", "drop", str(row["id"]))
    prometheus.rests("SomethingParked")


def test_forged_reports_are_told_of(system: System, prometheus: Prometheus) -> None:
    vendor = system.add_provider()
    url = system.manage("provider", "show", vendor.slug)["callback_url"]

    def forged() -> bool:
        system.http.post(url, data={"MessageSid": uuid4().hex, "MessageStatus": "delivered"}, headers={"X-Twilio-Signature": "no"})
        return "ReportsRefused" in prometheus.firing()

    until(forged, seconds=60, what="ReportsRefused firing")


def test_requests_that_are_refused_are_told_of(system: System, prometheus: Prometheus) -> None:
    shop = system.add_sender("--default-sender=ALERT")
    with frozen(system, "redis"):
        until(lambda: _refused(shop) and "RefusingRequests" in prometheus.firing(), seconds=60, what="RefusingRequests firing")
    until(system.is_ready, seconds=60, what="the system ready again")
