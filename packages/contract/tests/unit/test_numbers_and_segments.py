"""Numbers against phonenumbers; segments at their boundaries and as properties."""

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sms_contract import ids, phone
from sms_contract.segments import EXTENSION, PART, SINGLE, Encoding, is_gsm7, measure, split

GSM_TEXT = st.text(alphabet="abc é\n€[]~", max_size=600)
ANY_TEXT = st.text(alphabet="abcж😀", max_size=400)


@given(st.sampled_from(sorted(phonenumbers.COUNTRY_CODE_TO_REGION_CODE)), st.integers(4, 14), st.integers(0, 10**14))
def test_possible_lengths_agree_with_libphonenumber(code: int, length: int, digits: int) -> None:
    national = "2" + f"{digits:014d}"[: length - 1]
    number = f"+{code}{national}"
    parsed = phonenumbers.PhoneNumber(country_code=code, national_number=int(national))
    reason = phonenumbers.is_possible_number_with_reason(parsed)
    expected = reason == phonenumbers.ValidationResult.IS_POSSIBLE and phone.is_e164(number)
    assert phone.is_possible(number) is expected


@pytest.mark.parametrize(
    ("number", "region"),
    [
        ("+447911123456", "GB"),
        ("+18765551234", "JM"),
        ("+14165551234", "CA"),
        ("+12125551234", "US"),
        ("+77011234567", "KZ"),
        ("+79161234567", "RU"),
    ],
)
def test_regions(number: str, region: str) -> None:
    assert phone.region(number) == region
    assert phone.is_allowed(number, [region])
    assert phone.is_allowed(number, [number[:3]])
    assert not phone.is_allowed(number, ["FR", "+33"])
    assert not phone.is_allowed(number, [], [region])
    assert not phone.is_allowed(number, [number[:3]], [number[:5]])
    assert phone.is_allowed(number, [], ["FR"])


@pytest.mark.parametrize(
    "number", ["447911123456", "+0447911123456", "+44 7911 123456", "+4479111234567", "+999123456789", "+", "", "+447911123456\n"]
)
def test_impossible_numbers(number: str) -> None:
    assert not phone.is_possible(number)


@pytest.mark.parametrize("sender", ["ACME", "+447911123456", "12345", "A1", "Ünïq" if is_gsm7("Ünïq") else "Uniq", "my shop"])
def test_senders(sender: str) -> None:
    assert phone.is_sender(sender)


@pytest.mark.parametrize("sender", ["", "12", "123456789", "TwelveLetter", "!!!", "жук", " ACME", "+12"])
def test_not_senders(sender: str) -> None:
    assert not phone.is_sender(sender)


@pytest.mark.parametrize(
    ("text", "count", "characters"),
    [
        ("a" * 160, 1, 160),
        ("a" * 161, 2, 161),
        ("a" * 306, 2, 306),
        ("a" * 307, 3, 307),
        ("€" * 80, 1, 160),
        ("a" * 152 + "€" + "a" * 7, 2, 161),
        ("a" * 152 + "€" * 77, 3, 306),
        ("ж" * 70, 1, 70),
        ("ж" * 71, 2, 71),
        ("😀" * 35, 1, 70),
        ("ж" * 66 + "😀" + "ж" * 65, 2, 133),
        ("ж" * 66 + "😀" * 34, 3, 134),
    ],
)
def test_boundaries(text: str, count: int, characters: int) -> None:
    assert (measure(text).count, measure(text).characters) == (count, characters)


@given(st.one_of(GSM_TEXT, ANY_TEXT))
def test_segments_hold_the_whole_text_and_never_overflow(text: str) -> None:
    measured = measure(text)
    parts = split(text, measured.encoding)
    assert "".join(parts) == text
    assert len(parts) == measured.count
    capacity = SINGLE if len(parts) == 1 else PART
    for part in parts:
        wide = sum(c in EXTENSION for c in part) if measured.encoding is Encoding.GSM7 else sum(c > "\uffff" for c in part)
        assert len(part) + wide <= capacity[measured.encoding]


@given(st.integers(0, 2**48 - 1))
def test_tracking_ids_carry_their_time(ms: int) -> None:
    tracking_id = ids.uuid7(ms)
    assert ids.is_tracking_id(tracking_id)
    assert ids.created_ms(tracking_id) == ms
    assert str(ids.floor(ms)) <= tracking_id
