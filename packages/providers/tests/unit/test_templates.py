"""Whatever a value holds, it comes out of its place unchanged, and changes nothing beside it."""

import json
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sms_providers import templates

texts = st.text(st.characters(blacklist_categories=["Cs"]))


@given(text=texts, other=texts)
def test_a_url_is_not_left(text, other):
    url = "https://sms.example" + templates.fill("/a/{x}/send?to={x}&text={y}", {"x": text, "y": other}, templates.for_url)
    parts = urlsplit(url)
    assert [unquote(part) for part in parts.path.split("/")] == ["", "a", text, "send"]
    assert parse_qsl(parts.query, keep_blank_values=True) == [("to", text), ("text", other)]
    assert (parts.netloc, parts.fragment) == ("sms.example", "")


@given(text=texts, other=texts)
def test_a_form_is_not_left(text, other):
    body = templates.fill("to={x}&text={y}&z=1", {"x": text, "y": other}, templates.for_form)
    assert parse_qsl(body, keep_blank_values=True) == [("to", text), ("text", other), ("z", "1")]


@given(text=texts, other=texts)
def test_json_is_not_left(text, other):
    body = templates.fill('{"to": ["{x}"], "text": "<{y}>", "n": {n}}', {"x": text, "y": other, "n": "17"}, templates.for_json)
    assert json.loads(body) == {"to": [text], "text": f"<{other}>", "n": 17}


@pytest.mark.parametrize("value", ["a\r\nX: y", "é", "\t", "\x00"])
def test_a_header_takes_what_it_can_take(value):
    with pytest.raises(ValueError, match="ASCII"):
        templates.fill("Bearer {x}", {"x": value}, templates.for_header)


def test_values_are_not_templates():
    assert templates.fill("{x}{y}", {"x": "{y}", "y": "{x}"}, str) == "{y}{x}"


def test_what_is_no_placeholder_stays():
    assert templates.fill('{"a": {}, "{B}": "{ x }", "{x}}": 1}', {"x": "1"}, str) == '{"a": {}, "{B}": "{ x }", "1}": 1}'


@pytest.mark.parametrize("escape", [templates.for_url, templates.for_form, templates.for_json])
def test_a_lone_surrogate_is_no_text(escape):
    with pytest.raises(ValueError, match="surrogate"):
        escape("\ud800")


# The examples of RFC 6901, section 5, as far as they find plain values.
DOCUMENT = {
    "foo": ["bar", "baz"],
    "": 0,
    "a/b": 1,
    "c%d": 2,
    "e^f": 3,
    "i\\j": 5,
    'k"l': 6,
    " ": 7,
    "m~n": 8,
    "t": True,
    "e": "",
    "n": None,
}


@pytest.mark.parametrize(
    ("pointer", "found"),
    [
        ("/foo", None),
        ("/foo/0", "bar"),
        ("/foo/1", "baz"),
        ("/foo/2", None),
        ("/foo/-", None),
        ("/foo/00", None),
        ("/foo/x", None),
        ("/", "0"),
        ("/a~1b", "1"),
        ("/c%d", "2"),
        ("/e^f", "3"),
        ("/i\\j", "5"),
        ('/k"l', "6"),
        ("/ ", "7"),
        ("/m~0n", "8"),
        ("/t", "true"),
        ("/e", None),
        ("/n", None),
        ("/foo/0/x", None),
        ("/nowhere/at/all", None),
    ],
)
def test_pointers(pointer, found):
    assert templates.is_pointer(pointer)
    assert templates.at(DOCUMENT, pointer) == found


@pytest.mark.parametrize("text", ["", "foo", "/a~2", "/~", "#/a"])
def test_what_is_no_pointer(text):
    assert not templates.is_pointer(text)


@given(
    document=st.recursive(st.none() | st.booleans() | st.floats() | texts, lambda c: st.lists(c) | st.dictionaries(texts, c)), pointer=texts
)
def test_any_pointer_into_anything(document, pointer):
    assert templates.at(document, "/" + pointer) is None or isinstance(templates.at(document, "/" + pointer), str)
