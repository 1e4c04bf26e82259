"""A suppression list from a file: read as it comes, and all of it or nothing."""

from collections.abc import Iterator

import pytest

from sms_backend.accounts.models import Client
from sms_backend.console import suppression_list
from sms_backend.core.errors import InvalidError
from sms_backend.messages.inbound_models import Suppression


def test_a_long_list_comes_in_as_it_is_read_and_whole_or_not_at_all(client: Client) -> None:
    seen = []

    def lines(last: str) -> Iterator[str]:
        yield "number,sender\r\n"
        for number in range(1500):
            yield f"+4479{number:08},\r\n"
        seen.append(Suppression.objects.count())
        yield last

    with pytest.raises(InvalidError, match="line 1502"):
        suppression_list.read_in(client, lines("07911,\r\n"))
    assert (seen, Suppression.objects.count()) == ([1000], 0)
    assert suppression_list.read_in(client, lines("+447911123456,ACME\r\n")) == (1501, 1501)
