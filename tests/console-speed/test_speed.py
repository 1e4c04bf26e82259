"""Every page of the console costs with two million messages what it costs with none, give or take; `./smsgw test console-speed`."""

import os
import re
import signal
import statistics
import sys
import time
from dataclasses import dataclass

import httpx
import pytest
from filling import MESSAGES, database, fill, rows_read
from system import System, until

pytestmark = [pytest.mark.timeout(1800), pytest.mark.slow]
PAGES = {
    "overview, last hour": "/console/?span=1h",
    "overview, last day": "/console/?span=24h",
    "overview, last week": "/console/?span=7d",
    "its figures alone": "/console/figures/?span=24h",
    "messages": "/console/sms_messages/message/",
    "messages, failed": "/console/sms_messages/message/?status__exact=failed",
    "messages of a client": "/console/sms_messages/message/?client__id__exact={client}",
    "a message by tracking id": "/console/sms_messages/message/?q={tracking_id}",
    "messages to a number": "/console/sms_messages/message/?q=%2B{number}",
    "messages by reference": "/console/sms_messages/message/?q=order-1000000",
    "a message": "/console/sms_messages/message/{tracking_id}/change/",
    "deliveries": "/console/sms_messages/webhookdelivery/",
    "inbound messages": "/console/sms_messages/inboundmessage/",
    "suppressions": "/console/suppressions/",
    "parked": "/console/sms_messages/parked/",
    "clients": "/console/accounts/client/",
    "keys": "/console/accounts/apikey/",
    "webhooks": "/console/accounts/webhookendpoint/",
    "numbers": "/console/accounts/inboundnumber/",
    "providers": "/console/routing/provider/",
    "pauses": "/console/pauses/",
    "routes": "/console/routes/",
}
ROUNDS = 7
#: A page may take so many times what it takes with empty tables, where that is more than nothing.
RATIO, LEAST = 4.0, 0.1
#: Rows of large tables that a page may read: a page of them, some more to know what follows, what belongs to each.
ROWS = 5_000


@dataclass
class Measured:
    seconds: float
    walked: int  #: rows of large tables that it went through without an index
    fetched: int


@pytest.fixture(scope="module")
def system():
    if "E2E_CONSOLE_URL" not in os.environ:
        raise pytest.UsageError("No system to test: run these tests by ./smsgw test console-speed")
    with httpx.Client(timeout=60) as http:
        found = System(
            gateway=os.environ["E2E_GATEWAY_URL"],
            console=os.environ["E2E_CONSOLE_URL"],
            simulator=os.environ["E2E_SIMULATOR_URL"],
            http=http,
        )
        until(found.is_ready, seconds=90, what="the system ready")
        yield found


def sign_in(system):
    login = system.manage("console", "user", "add", "speed")
    browser = httpx.Client(base_url=system.console, timeout=60, follow_redirects=True)
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', browser.get("/console/login/").text)[1]
    form = {"csrfmiddlewaretoken": token, "username": login["name"], "password": login["password"], "next": "/console/"}
    assert browser.post("/console/login/", data=form, headers={"Referer": system.console}).url.path == "/console/"
    return browser


def measure(browser, connection, path):
    browser.get(path).raise_for_status()  # connections and caches are warm for everybody but the first
    before = rows_read(connection)
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        browser.get(path).raise_for_status()
        times.append(time.perf_counter() - start)
    # What a backend has read is told once it is idle for a moment.
    time.sleep(1.2)
    after = rows_read(connection)
    return Measured(statistics.median(times), (after[0] - before[0]) // ROUNDS, (after[1] - before[1]) // ROUNDS)


def one_message(connection):
    row = connection.execute("SELECT id, substr(recipient, 2) FROM messages ORDER BY id DESC OFFSET 1000 LIMIT 1").fetchone()
    return {"tracking_id": row[0], "number": row[1]}


def test_every_page_costs_what_it_costs_with_empty_tables(system, capsys):
    client = system.manage("client", "add", "acme", "--default-sender=ACME")
    named = {"client": client["id"]}
    browser = sign_in(system)
    with database() as connection:
        nobody = {"tracking_id": "0190d3a5-7e6b-7000-8000-000000000000", "number": "447911123456"}
        lists = {name: path for name, path in PAGES.items() if name != "a message"}
        system.signal("beat", signal.SIGSTOP)  # what sweepers read meanwhile is not the pages'
        try:
            empty = {name: measure(browser, connection, path.format(**named, **nobody)) for name, path in lists.items()}
            fill(connection, client["id"])
            system.signal("beat", signal.SIGCONT)
            # The tallies of two million messages are few rows; the tick adds them up.
            until(lambda: connection.execute("SELECT count(*) FROM tally_changes").fetchone()[0] == 0, seconds=120, what="tallies folded")
            system.signal("beat", signal.SIGSTOP)
            time.sleep(3)
            found = one_message(connection)
            full = {name: measure(browser, connection, path.format(**named, **found)) for name, path in PAGES.items()}
            counted = connection.execute("SELECT sum(n) FROM tallies WHERE minutes = 60 AND kind = 'message'").fetchone()[0]
        finally:
            system.signal("beat", signal.SIGCONT)
    with capsys.disabled():
        sys.stdout.write(f"\n| page | empty, ms | {MESSAGES:,} messages, ms | rows read |\n|---|---:|---:|---:|\n")
        for name, each in full.items():
            none = f"{empty[name].seconds * 1000:.0f}" if name in empty else "–"
            sys.stdout.write(f"| {name} | {none} | {each.seconds * 1000:.0f} | {each.walked + each.fetched} |\n")
    assert counted == MESSAGES
    walked = {name: each.walked for name, each in full.items() if each.walked > ROWS}
    assert not walked, "pages that go through a large table"
    fetched = {name: each.fetched for name, each in full.items() if each.fetched > ROWS}
    assert not fetched, "pages that read more than they show"
    base = statistics.median(each.seconds for each in empty.values())
    slow = {
        name: (round(each.seconds, 3), round(limit, 3))
        for name, each in full.items()
        if each.seconds > (limit := RATIO * max(LEAST, empty[name].seconds if name in empty else base))
    }
    assert not slow, "pages that grow with the table"
