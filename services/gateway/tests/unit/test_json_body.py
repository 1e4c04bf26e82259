"""JSON as it may come in: no name twice, and what is wrong with it said clearly."""

import json

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sms_gateway.batch_reading import fingerprint_of
from sms_gateway.json_body import parse, refuse_repeated, refuse_repeated_slowly
from sms_gateway.problems import Problem
from sms_gateway.validation import read_message, read_preview


def detail(body: bytes, read=parse) -> str:
    with pytest.raises(Problem) as raised:
        read(body)
    assert raised.value.code == "request.invalid_json"
    return raised.value.detail


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "There is no body."),
        (b" \n", "There is no body."),
        (b'{"a": "\\ud800"}', "half of a surrogate pair"),
        (b'{"a": "\\uD83D\\uDE00 \\uDE00"}', "half of a surrogate pair"),
        (b'{"a": NaN}', "malformed"),
        (b"\xff", "malformed"),
        (b'"\xff"', "UTF-8"),
    ],
)
def test_it_says_what_is_wrong(body: bytes, said: str) -> None:
    assert said in detail(body)


def test_a_pair_of_surrogates_is_one_character() -> None:
    assert parse(b'"\\ud83d\\ude00"') == "😀"


@pytest.mark.parametrize(
    "body",
    [
        b'{"to":"+15005550006","to":"+15005550009","text":"x"}',
        b'{"to":"+15005550006","text":"a:b","text":"a"}',
        b'{"to":"+15005550006","t\\u0065xt":"a","text":"a"}',
        b'{"to":"+15005550006","text":"\\u003a","text":"a:"}',
        b'{"to":"+15005550006","text":"a","metadata":{"a":"1","a":"2"}}',
        b'{"to":5,"to":5}',
    ],
)
def test_no_field_stands_twice(body: bytes) -> None:
    def read(body: bytes) -> None:
        refuse_repeated(body, msgspec.json.encode(read_message(body)))

    assert "more than once" in detail(body, read)


def test_not_in_a_preview_nor_in_a_batch_either() -> None:
    assert "`text`" in detail(b'{"text":"a","text":"b"}', read_preview)
    body = b'{"messages":[{"to":"+15005550006","text":"a"},{"to":"+15005550006","to":"+15005550006"}]}'
    assert "`to`" in detail(body, lambda body: fingerprint_of(parse(body), body))


def test_long_numbers_and_depths_are_no_failure_of_ours() -> None:
    for body in (b'{"a":' + b"9" * 400 + b',"b":1e300}', b'{"a":' + b"[" * 900 + b"]" * 900 + b"}", b'{"a":' * 900 + b"1" + b"}" * 900):
        refuse_repeated_slowly(body)
        fingerprint_of(parse(body), body)


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20
)


@settings(deadline=None)
@given(_json, st.booleans())
def test_what_has_no_name_twice_is_never_refused(value: object, ascii_only: bool) -> None:
    body = json.dumps(value, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    try:
        read = parse(body)
    except Problem:
        return
    refuse_repeated(body, msgspec.json.encode(read))


@settings(deadline=None)
@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), st.text(st.characters(exclude_categories=["Cs"])), min_size=1))
def test_what_has_one_is(value: dict[str, str]) -> None:
    entries = [f"{json.dumps(name)}:{json.dumps(item)}" for name, item in value.items()]
    body = ("{" + ",".join([*entries, entries[0]]) + "}").encode()
    with pytest.raises(Problem):
        refuse_repeated(body, msgspec.json.encode(parse(body)))
