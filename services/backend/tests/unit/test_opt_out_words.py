"""What a person's message asks for."""

import pytest

from sms_backend.messages.opt_out_words import START, STOP, asks
from sms_providers.types import Inbound, OptOut


def ask(text: str, opt_out: OptOut | None = None) -> OptOut | None:
    return asks(Inbound(message_id="1", sender="+447700900001", to="+447700900002", text=text, opt_out=opt_out))


@pytest.mark.parametrize("word", sorted(STOP))
def test_words_that_stop(word: str) -> None:
    assert ask(word) is ask(f"  {word.upper()}\n") is OptOut.STOP


@pytest.mark.parametrize("word", sorted(START))
def test_words_that_start(word: str) -> None:
    assert ask(word.title()) is OptOut.START


@pytest.mark.parametrize("text", ["", "STOP PLEASE", "please stop", "stop.", "don't stop", "stopp", "yes"])
def test_anything_else_asks_for_nothing(text: str) -> None:
    assert ask(text) is None


def test_the_vendor_knows_better() -> None:
    assert ask("Basta", OptOut.STOP) is OptOut.STOP
    assert ask("stop", OptOut.HELP) is OptOut.HELP
