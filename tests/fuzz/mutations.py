"""Mutations that keep to the form: of bytes, of one value somewhere in a JSON document, of one field of a form."""

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from urllib.parse import parse_qsl, urlencode

from hypothesis import strategies as st

_TOKENS = [
    b"\0", b"\xff", b"\xed\xa0\x80", b"\\ud800", b'"', b"{", b"}", b"[", b"]", b"&", b"=", b"%", b"%00", b"%ff", b",", b"\n", b"\r\n",
    b"-1", b"1e999", b"NaN", b"9" * 5000, b"[" * 3000, b'{"a":' * 3000, b"null", b"true", "²".encode(), "１".encode(), b"+" * 20,
]  # fmt: skip
_WORDS = ["", "0", "-1", "9" * 5000, "1e999", "²", "١٢", "\0", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "260230", "true"]
_text = st.one_of(st.sampled_from(_WORDS), st.text(max_size=30))
_scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.sampled_from([2**63, 10**400, -1]), _text
)
_values: st.SearchStrategy[Any] = st.recursive(
    _scalars, lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(_text, inner, max_size=4)), max_leaves=8
)


def swept(seeds: Sequence[bytes]) -> Iterator[bytes]:
    """Each odd value in each place of each seed, one at a time."""
    odd: list[Any] = [*_WORDS, None, True, -1, 0.5, 2**63, 10**400, [], {}, [[]], ["a"], {"a": {}}]
    for seed in seeds:
        head, body = _head_and_body(seed)
        number, _, query = head.rstrip(b"\n").partition(b" ")
        for word in _WORDS:
            yield from (number + b" " + changed + b"\n" + body for changed in _each_field(query, word))
            yield from (head + changed for changed in _each_field(body, word))
            yield head + word.encode()
        try:
            document = json.loads(body)
        except ValueError:
            continue
        for holder, name in list(_places(document)):
            kept = holder[name]
            for value in odd:
                holder[name] = value
                yield head + json.dumps(document).encode()
            holder[name] = kept


def _each_field(form: bytes, word: str) -> Iterator[bytes]:
    fields = parse_qsl(form.decode("utf-8", "replace"), keep_blank_values=True)
    for at, (name, _) in enumerate(fields):
        yield urlencode([*fields[:at], (name, word), *fields[at + 1 :]]).encode()


@st.composite
def mutated(draw: st.DrawFn, seeds: Sequence[bytes]) -> bytes:
    """A seed after up to six changes."""
    data = draw(st.sampled_from(seeds))
    for _ in range(draw(st.integers(1, 6))):
        change: Callable[..., bytes] = draw(st.sampled_from([_bytes, _bytes, _json, _form]))
        data = change(draw, data)
    return data


def _bytes(draw: st.DrawFn, data: bytes) -> bytes:
    start = draw(st.integers(0, len(data)))
    end = min(len(data), start + draw(st.integers(0, 12)))
    piece = draw(st.one_of(st.sampled_from(_TOKENS), st.binary(max_size=8), st.just(data[start:end] * 3)))
    return data[:start] + piece + data[end:]


def _json(draw: st.DrawFn, data: bytes) -> bytes:
    head, body = _head_and_body(data)
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return _bytes(draw, data)
    places = list(_places(document))
    if not places:
        return data
    holder, name = draw(st.sampled_from(places))
    match draw(st.integers(0, 3)):
        case 0:
            del holder[name]
        case 1 if isinstance(holder, list):
            holder.insert(name, holder[name])
        case _:
            holder[name] = draw(_values)
    return head + json.dumps(document, ensure_ascii=False).encode("utf-8", "replace")


def _places(document: Any) -> Iterator[tuple[Any, Any]]:
    names = document if isinstance(document, dict) else range(len(document)) if isinstance(document, list) else ()
    for name in list(names):
        yield document, name
        yield from _places(document[name])


def _form(draw: st.DrawFn, data: bytes) -> bytes:
    """One field of the body, or of the query where there is no body."""
    head, body = _head_and_body(data)
    number, _, query = head.rstrip(b"\n").partition(b" ")
    in_query = not body or draw(st.booleans())
    fields = parse_qsl((query if in_query else body).decode("utf-8", "replace"), keep_blank_values=True)
    if not fields:
        return _bytes(draw, data)
    at = draw(st.integers(0, len(fields) - 1))
    name, _ = fields[at]
    match draw(st.integers(0, 3)):
        case 0:
            del fields[at]
        case 1:
            fields.append((name, draw(_text)))
        case _:
            fields[at] = (name, draw(_text))
    changed = urlencode([(a.encode("utf-8", "replace"), b.encode("utf-8", "replace")) for a, b in fields]).encode()
    return number + b" " + changed + b"\n" + body if in_query else head + changed


def _head_and_body(data: bytes) -> tuple[bytes, bytes]:
    """A callback has its query in a first line; an envelope has none."""
    head, newline, body = data.partition(b"\n")
    return (b"", data) if data.startswith(b"{") else (head + newline, body)
