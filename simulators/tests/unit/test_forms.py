"""Fields are read as the standard library reads them."""

from urllib.parse import parse_qsl, urlencode

from hypothesis import example, given
from hypothesis import strategies as st

from sms_simulators.forms import fields


@given(st.lists(st.tuples(st.text(), st.text())))
def test_what_was_written_is_read(pairs: list[tuple[str, str]]) -> None:
    pairs = [(name.encode("utf-8", "replace").decode(), value.encode("utf-8", "replace").decode()) for name, value in pairs]
    assert fields(urlencode(pairs).encode()) == pairs


@given(st.text(alphabet="a1F%+&=é \n").map(str.encode))
@example(b"a=%4&b=%zz&c=%&%41%42=%e2%82%ac&&=&d")
def test_whatever_comes_is_read_as_the_standard_library_does(content: bytes) -> None:
    assert fields(content) == parse_qsl(content.decode("utf-8", "replace"), keep_blank_values=True)
