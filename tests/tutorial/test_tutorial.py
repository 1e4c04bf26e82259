"""The tutorial, done as it is written, from `demo` to `down`, in an instance of its own. `./smsgw test tutorial`."""

import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from reading import Reader, documents_in
from system import ROOT, until

from sms_stack.tiers import own_environment

PAGE = (ROOT / "docs/tutorial/first-message.md").read_text()
_STEP = re.compile(r"^## (\d+)\. .*?(?=^## |\Z)", re.MULTILINE | re.DOTALL)
_COMMANDS = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)

pytestmark = pytest.mark.timeout(300)


@contextmanager
def in_a_second_terminal(reader: Reader, commands: str, output: Path) -> Iterator[None]:
    """What prints there is in `output`; it is closed when the block ends."""
    with (
        output.open("wb") as file,
        subprocess.Popen(["bash", "-c", f"exec {commands}"], cwd=ROOT, env=reader.environment, stdout=file) as process,
    ):
        try:
            yield
        finally:
            process.terminate()


def commands_of(step: int) -> list[str]:
    """The shell blocks of a step, in order."""
    (text,) = (found[0] for found in _STEP.finditer(PAGE) if int(found[1]) == step)
    return _COMMANDS.findall(text)


def document(output: str) -> Any:
    """The first JSON object in what curl has printed."""
    return next(documents_in(output))


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    folder = tmp_path_factory.mktemp("reader")
    environment = own_environment() | {"SMSGW_HOME": str(folder / "instance")}
    try:
        yield Reader(folder=ROOT, kept=folder / "kept", environment=environment, patience=240)
    finally:
        subprocess.run([str(ROOT / "smsgw"), "down"], env=environment, capture_output=True, check=True)


def test_every_block_is_done(reader: Reader, tmp_path: Path) -> None:
    start, addresses = commands_of(1)
    shown = reader.run(start)
    assert re.search(r"^live key +sgw_live_", shown, re.MULTILINE)
    reader.run(addresses)

    (send,) = commands_of(2)
    sent = reader.run(send)
    assert sent.startswith("HTTP/1.1 202 Accepted")
    tracking_id = document(sent)["tracking_id"]

    (follow,) = commands_of(3)
    follow = re.sub(r"ID=\S+ +# yours", f"ID={tracking_id}", follow)
    until(lambda: document(reader.run(follow))["status"] == "delivered", what="the first message delivered")

    again = reader.run(send)
    assert (document(again)["tracking_id"], "idempotent-replayed: true" in again.lower()) == (tracking_id, True)
    assert document(reader.run(send.replace("Hello", "Hullo")))["code"] == "idempotency.key_reused"

    (fail_over,) = commands_of(5)
    ask, show = fail_over.split("./smsgw")
    failed_over = document(reader.run(ask))["tracking_id"]
    until(lambda: document(reader.run(follow.replace(tracking_id, failed_over)))["status"] == "delivered", what="failed over")
    timeline = reader.run(f"./smsgw{show}".replace("TRACKING_ID", failed_over))
    assert re.search(r"alpha.*unavailable.*beta.*tried.*accepted.*delivered", timeline, re.DOTALL), timeline

    (nobody_knows,) = commands_of(6)
    unknown = document(reader.run(nobody_knows))["tracking_id"]

    listen, subscribe = commands_of(7)
    heard = tmp_path / "heard"
    with in_a_second_terminal(reader, listen, heard):
        told = document(reader.run(subscribe).splitlines()[-1])["tracking_id"]
        until(lambda: told in heard.read_text(), seconds=30, what="the webhook heard")

        (many,) = commands_of(8)
        batch = document(reader.run(many))
        assert [each.get("status") for each in batch["messages"]] == ["accepted", "accepted", None]
        assert batch["messages"][2]["error"]["code"]
        until(lambda: batch["messages"][1]["tracking_id"] in heard.read_text(), seconds=30, what="the receiver hears of the batch")

    look = f'curl -sS "$GATEWAY/v1/messages/{unknown}" -H "API-Key: $TEST_KEY"'
    until(lambda: document(reader.run(look))["status"] == "unknown", seconds=60, what="the outcome unknown")

    status, kill = commands_of(9)[0].splitlines()
    pid = re.search(r"^intake\s.*?(\d+)", reader.run(status), re.MULTILINE)
    assert pid
    reader.run(kill.replace("PID_OF_INTAKE", pid[1]))
    after = document(reader.run(send.replace("tutorial-1", "tutorial-9")))["tracking_id"]
    until(lambda: document(reader.run(follow.replace(tracking_id, after)))["status"] == "delivered", seconds=60, what="sent after the kill")

    (stop,) = commands_of(10)
    reader.run(stop)
    assert json.loads(reader.run("./smsgw status --json"))["ready"] is False
