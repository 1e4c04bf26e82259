"""Texts: what they become, and how many segments they need, against a library that nobody here wrote."""

import unicodedata

import msgspec
import pytest
import smsutil
from hypothesis import given
from hypothesis import strategies as st

from sms_contract.segments import BASIC, EXTENSION, Encoding, is_gsm7, measure
from sms_gateway.api import examples
from sms_gateway.api.preview import preview
from sms_gateway.content import in_gsm7, settle, transliterate
from sms_gateway.problems import Problem
from sms_gateway.schema_batches import PreviewText
from sms_gateway.validation import read_preview

GSM_TEXT = st.text(alphabet=sorted(BASIC | EXTENSION), min_size=1, max_size=700)
ANY_TEXT = st.text(alphabet="abc€жé–😀中\U0001f1ec\U0001f1e7", min_size=1, max_size=300)


@given(st.one_of(GSM_TEXT, ANY_TEXT))
def test_counts_agree_with_another_library(text: str) -> None:
    # That library cuts pairs at the boundary as we do, and counts what the segments really carry.
    theirs = smsutil.split(text)
    ours = measure(text)
    assert (ours.encoding is Encoding.GSM7) is (theirs.encoding == "gsm0338")
    assert ours.count == len(theirs.parts)


@pytest.mark.parametrize(
    ("text", "count", "encoding", "characters", "per_segment"),
    [
        ("a" * 160, 1, "gsm7", 160, 160),
        ("a" * 161, 2, "gsm7", 161, 153),
        ("a" * 306, 2, "gsm7", 306, 153),
        ("a" * 307, 3, "gsm7", 307, 153),
        ("a" * 158 + "€", 1, "gsm7", 160, 160),
        ("a" * 159 + "€", 2, "gsm7", 161, 153),
        ("a" * 152 + "€" + "a" * 152, 3, "gsm7", 306, 153),
        ("ж" * 70, 1, "ucs2", 70, 70),
        ("ж" * 71, 2, "ucs2", 71, 67),
        ("ж" * 134, 2, "ucs2", 134, 67),
        ("ж" * 135, 3, "ucs2", 135, 67),
        ("ж" * 68 + "😀", 1, "ucs2", 70, 70),
        ("ж" * 66 + "😀" + "ж" * 66, 3, "ucs2", 134, 67),
        ("a" * 1600, 11, "gsm7", 1600, 153),
    ],
)
def test_a_preview_at_every_boundary(text: str, count: int, encoding: str, characters: int, per_segment: int) -> None:
    segments = preview(PreviewText(text=text)).segments
    assert (segments.count, segments.encoding, segments.characters, segments.per_segment) == (count, encoding, characters, per_segment)


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("“Quoted” – it’s…", '"Quoted" - it\'s...'),
        ("déjà vu, naïve Škoda", "déjà vu, naive Skoda"),
        ("e\u0301 o\u0302", "é o"),
        ("жук", "zhuk"),
        ("Straße, ŁÓDŹ, Þór", "Straße, LODZ, Thor"),
        ("中国", "ZhongGuo"),
        ("a\u2028b\u200fc\ufe0f d\u202fe", "a\nbc d e"),
        ("‐‑‒–—―−", "-------"),
        ("‘’‚‛′‹›´`", "'" * 9),
        ("“”„‟″«»", '"' * 7),
        ("½ № ﬁ Ⅷ", "1/2 No fi VIII"),
        ("€100 [ok]", "€100 [ok]"),
        ("what?", "what?"),
    ],
)
def test_what_a_text_becomes(text: str, plain: str) -> None:
    assert transliterate(text) == plain


def test_nothing_becomes_a_question_mark_but_question_marks() -> None:
    asking = [chr(code) for code in range(0x20000) if not 0xD800 <= code < 0xE000 and "?" in transliterate(chr(code))]
    names = [unicodedata.name(character) for character in asking]
    assert len(names) > 10
    assert [name for name in names if "QUESTION" not in name and "INTERROBANG" not in name] == []


@given(st.text(max_size=200))
def test_what_fits_stays_and_what_has_no_equivalent_is_not_lost(text: str) -> None:
    plain = transliterate(text)
    if is_gsm7(text):
        assert plain == text
    fits = in_gsm7(text)
    assert fits is None or is_gsm7(fits)


def test_a_private_character_keeps_the_text_as_it_is() -> None:
    content = settle("an \ue000 –", "transliterate", 10)
    assert (content.segments.encoding, content.wire_text) == ("ucs2", None)
    assert preview(PreviewText(text="an \ue000")).transliterated is None


def test_a_preview() -> None:
    asked = examples.PREVIEW_TEXT["typography"]["value"]
    assert msgspec.to_builtins(preview(read_preview(msgspec.json.encode(asked)))) == examples.PREVIEW
    assert msgspec.to_builtins(preview(read_preview(msgspec.json.encode(asked | {"encoding": "transliterate"}))))["segments"] == {
        "count": 1,
        "encoding": "gsm7",
        "characters": 20,
        "per_segment": 160,
    }
    plain = preview(PreviewText(text="plain"))
    assert (plain.non_gsm_characters, plain.transliterated) == ([], None)
    with pytest.raises(Problem) as refused:
        preview(PreviewText(text="жук", encoding="gsm7"))
    assert refused.value.code == "content.not_encodable"


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        (b"{}", ["/text"]),
        (b'{"text":""}', ["/text"]),
        (b'{"text":"a\\u0000"}', ["/text"]),
        (b'{"text":"a","to":"+447911123456"}', ["/to"]),
        (b'{"text":1,"encoding":"x"}', ["/text", "/encoding"]),
        (b"[]", [""]),
    ],
)
def test_previews_that_are_refused(body: bytes, pointers: list[str]) -> None:
    with pytest.raises(Problem) as refused:
        read_preview(body)
    assert [mistake.pointer for mistake in refused.value.errors or []] == pointers
