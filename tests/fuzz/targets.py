"""What is fuzzed: a target takes any bytes, and fails by an `AssertionError`, or by any exception that its subject has not announced."""

import importlib.util
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import msgspec

from sms_contract import envelope
from sms_providers.testing import ProviderRules, Said
from sms_providers.types import Callback, Inbound, Part, Receipt, Verification

ROOT = Path(__file__).parents[2]
_SAMPLES = ROOT / "packages/contract/samples/v1"
_UNIT = ROOT / "packages/providers/tests/unit"
#: Their vendors sign the address alone: https://www.plivo.com/docs/messaging/concepts/signature-validation
_BODY_IS_NOT_SIGNED = {"plivo"}
#: Their vendors sign names and values run together, so that where one ends is not signed: https://www.twilio.com/docs/usage/security
_RUN_TOGETHER = {"twilio"}
_YEAR_10000 = 253_402_300_800_000  #: ms since 1970


@dataclass(frozen=True, kw_only=True)
class Target:
    name: str
    seeds: list[bytes]  #: what is right, from which mutations start
    run: Callable[[bytes], None]


def _envelope(body: bytes) -> None:
    """It is read or refused by `DecodeError`; what was read is written so that it is read as the same again."""
    try:
        whole = envelope.decode_envelope(body)
    except msgspec.DecodeError:
        return
    for raw in whole.entries:
        for decode in (
            lambda raw: envelope.decode_submission(raw, whole.defaults),
            envelope.decode_submission,
            envelope.decode_cancel,
            envelope.decode_callback,
        ):
            try:
                entry = decode(raw)
            except msgspec.DecodeError:
                continue
            written = envelope.encode_envelope(envelope.SUBMISSION_V1, [envelope.encode_entry(entry)])
            (again,) = envelope.decode_envelope(written).entries
            # Written out, it needs no defaults any more.
            plain = {envelope.Submission: envelope.decode_submission, envelope.Cancel: envelope.decode_cancel}
            assert plain.get(type(entry), envelope.decode_callback)(again) == entry, "what was read is not what is written"


def _rules() -> Iterator[ProviderRules]:
    """Every adapter's, with the samples that its unit tests have from the vendor's documentation."""
    for file in sorted(_UNIT.glob("test_*.py")):
        spec = importlib.util.spec_from_file_location(f"fuzz_{file.stem}", file)
        if spec is None or spec.loader is None:
            continue
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        for found in vars(module).values():
            if isinstance(found, type) and issubclass(found, ProviderRules) and found is not ProviderRules:
                yield found()


def _parser(rules: ProviderRules) -> Target | None:
    """Bodies and queries of one adapter's callbacks: read without raising, and what is signed says what its vendor said."""
    said: list[Said] = [*rules.samples.signed, *rules.samples.unsigned]
    provider = rules.provider
    known: list[Any] = [list(each.events) for each in said]
    together = {_run_together(each.callback) for each in said} if rules.adapter.slug in _RUN_TOGETHER else set()

    def run(data: bytes) -> None:
        number, query, body = _taken_apart(data)
        callback = said[number % len(said)].callback
        address, _, _ = callback.url.partition("?")
        touched = replace(callback, url=f"{address}?{query}" if query else address, body=body)
        events = provider.read(touched)
        for event in events:
            _storable(event)
        if provider.verify(touched) is Verification.SIGNED and rules.adapter.slug not in _BODY_IS_NOT_SIGNED:
            assert events in (*known, []) or _run_together(touched) in together, "a signature that counts, under what the vendor never said"

    seeds = [b"%d %s\n%s" % (number, each.callback.url.partition("?")[2].encode(), each.callback.body) for number, each in enumerate(said)]
    return Target(name=f"{rules.adapter.slug}-callback", seeds=seeds, run=run) if said else None


def _run_together(callback: Callback) -> str:
    return callback.url + "".join(name + value for name, value in sorted(set(callback.form_pairs)))


def _storable(event: Receipt | Inbound) -> None:
    """It has the types that it declares, text that is text, and a time that there is."""
    moment = event.occurred_at if isinstance(event, Receipt) else event.received_at
    assert moment is None or (type(moment) is int and 0 <= moment < _YEAR_10000), "a time that no calendar has"
    for each in fields(event):
        value = getattr(event, each.name)
        assert value is None or isinstance(value, str | int | Part), (each.name, type(value))
        if isinstance(value, str):
            value.encode()
    if event.part is not None:
        assert 0 < event.part.index <= (event.part.total or 255) <= 255, "a part that no message has"


def _signature(rules: ProviderRules) -> Target | None:
    """Signatures of one adapter's callbacks: only the vendor's own counts."""
    said = rules.samples.signed
    provider = rules.provider

    def run(data: bytes) -> None:
        callback = said[0].callback
        touched = _signed_otherwise(callback, data.decode("utf-8", "replace"))
        assert provider.verify(touched) is Verification.FORGED or _same(touched, callback), "a signature that is another counts"

    seeds = [value.encode() for name, value in said[0].callback.headers.items() if _holds_signature(name)] if said else []
    return Target(name=f"{rules.adapter.slug}-signature", seeds=seeds, run=run) if seeds else None


def _holds_signature(name: str) -> bool:
    """Of a header. Who signs in the body (Vonage) is asked by the target of its callbacks."""
    return "signature" in name and "nonce" not in name


def _signed_otherwise(callback: Callback, value: str) -> Callback:
    return replace(callback, headers={name: value if _holds_signature(name) else old for name, old in callback.headers.items()})


def _same(touched: Callback, callback: Callback) -> bool:
    """Whether the vendor's own is still among the signatures, of which there may be several, under either case of hexadecimal digits."""
    return all(
        old.lower() in touched.headers[name].lower().replace(",", " ").split() or old.strip() == touched.headers[name].strip()
        for name, old in callback.headers.items()
        if _holds_signature(name)
    )


def _taken_apart(data: bytes) -> tuple[int, str, bytes]:
    """Which sample, a query and a body: of `<digits> <query>\\n<body>`, and of anything else."""
    head, _, body = data.partition(b"\n")
    number, _, query = head.partition(b" ")
    return sum(number), query.decode("ascii", "replace").replace("\r", ""), body


def _all() -> Iterator[Target]:
    yield Target(name="envelope", seeds=[file.read_bytes() for file in sorted(_SAMPLES.glob("*.json"))], run=_envelope)
    for rules in _rules():
        for target in (_parser(rules), _signature(rules)):
            if target is not None:
                yield target


TARGETS = {target.name: target for target in _all()}
