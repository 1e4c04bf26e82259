"""
The rules that every adapter obeys. Inherit `ProviderRules`, give samples from the vendor's documentation, and the rules are checked.

Nothing here needs a socket or a vendor: an exchange that answers from a list stands for the transport.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Final

import pytest
from pydantic import ValidationError

from sms_contract.errors import CATALOGUE, MESSAGE_CODES
from sms_contract.status import Status
from sms_providers.base import HttpProvider, Provider
from sms_providers.errors import NotSentError, Outcome, SendError, UnknownOutcomeError
from sms_providers.registry import ADAPTERS
from sms_providers.types import Accepted, Balance, Callback, HttpAnswer, HttpRequest, Inbound, OutboundSms, Receipt, Verification

SMS: Final = OutboundSms(
    tracking_id="0192f0c1-7d2a-7000-8000-00000000002a",
    attempt=1,
    reference="0192f0c1-7d2a-7000-8000-00000000002a",
    to="+447911123456",
    text="Your code is 4711 & more: é=+%",
    sender="ACME",
    validity=3600,
    callback_url="https://sms.example/v1/callbacks/eu/token?m=0192f0c1-7d2a-7000-8000-00000000002a&a=1&s=5f2c",
)
_GARBAGE = (b"", b"{", b"[]", b"null", b"true", b"17", b'"id"', b"{}", b"\xff\xfe", b"<html>OK</html>", b'{"sid":null,"id":null}')
_PAGE = b"<html><h1>Error</h1></html>"
_SECRET_NAMES = ("token", "secret", "password", "api_key")


class Answers:
    """An exchange that answers from a list, and keeps what it was asked."""

    def __init__(self, *answers: HttpAnswer | SendError) -> None:
        self._answers = list(answers)
        self.requests: list[HttpRequest] = []

    async def __call__(self, request: HttpRequest) -> HttpAnswer:
        self.requests.append(request)
        answer = self._answers.pop(0)
        if isinstance(answer, SendError):
            raise answer
        return answer


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """An answer that is none of acceptance, and what it has to become."""

    answer: HttpAnswer
    outcome: Outcome
    code: str
    opted_out: bool = False


@dataclass(frozen=True, kw_only=True)
class Said:
    """A callback, and what it says."""

    callback: Callback
    events: Sequence[Receipt | Inbound]


@dataclass(frozen=True, kw_only=True)
class Samples:
    """What an adapter's tests give."""

    config: Mapping[str, object]
    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes  #: of the request for `SMS`
    accepted: Mapping[str, HttpAnswer]  #: the vendor's id → the answer that carries it
    without_id: Sequence[HttpAnswer]
    refusals: Sequence[Refusal]
    error: HttpAnswer  #: an answer in the vendor's error shape whose code is not in the table
    throttled: HttpAnswer  #: 429, with `Retry-After: 7`
    signed: Sequence[Said] = ()
    unsigned: Sequence[Said] = ()  #: where the vendor signs nothing
    found: Mapping[str, HttpAnswer] = field(default_factory=dict)  #: the vendor's id → the answer to a look-up that carries it
    not_found: Sequence[HttpAnswer] = ()
    balance_url: str = ""
    balances: Sequence[tuple[HttpAnswer, Balance]] = ()  #: answers to the question what is left
    no_balance: Sequence[HttpAnswer] = ()  #: a 2xx that does not say it
    unmapped: Callback | None = None  #: a report with a word that does not exist


class ProviderRules:
    """Subclass as `TestSomething`, with `adapter` and `samples`."""

    __test__ = False

    adapter: ClassVar[type[HttpProvider[Any]]]
    samples: ClassVar[Samples]

    def __init_subclass__(cls) -> None:
        cls.__test__ = True

    @property
    def provider(self) -> HttpProvider[Any]:
        """The adapter with the sample configuration."""
        return self.adapter(self.adapter.Config.model_validate(self.samples.config), account="eu-1")

    @property
    def reference(self) -> str:
        """Our reference as it is written there. Override it where the vendor takes numbers only."""
        return SMS.reference

    async def outcome(self, answer: HttpAnswer | SendError, sms: OutboundSms = SMS) -> Accepted | SendError:
        """What one exchange comes to."""
        try:
            return await self.provider.send(sms, Answers(answer))
        except SendError as error:
            return error

    def test_it_is_registered_under_the_name_of_its_module(self) -> None:
        assert ADAPTERS[self.adapter.slug] is self.adapter
        assert self.adapter.__module__.rpartition(".")[2] == self.adapter.slug

    def test_its_configuration_has_an_address_that_must_be_https(self) -> None:
        assert "base_url" in self.adapter.Config.model_fields
        for wrong in ("http://sms.example", "ftp://sms.example", "sms.example", "https://u:p@sms.example", "https://sms.example/?a=b"):
            with pytest.raises(ValidationError):
                self.adapter.Config.model_validate({**self.samples.config, "base_url": wrong})
        self.adapter.Config.model_validate({**self.samples.config, "base_url": "http://127.0.0.1:8080"})

    def test_what_is_named_like_a_secret_is_typed_as_one(self) -> None:
        named = {name for name in self.adapter.Config.model_fields if name.endswith(_SECRET_NAMES)}
        assert named <= self.adapter.Config.secret_fields()
        assert self.adapter.Config.secret_fields(), "an account without any secret?"

    def test_a_configuration_that_is_refused_shows_no_value(self) -> None:
        secrets = {name: ["hunter2"] for name in self.adapter.Config.secret_fields()}
        wrong = {**self.samples.config, **secrets, "unheard_of": "hunter2"}
        with pytest.raises(ValidationError) as refused:
            self.adapter.Config.model_validate(wrong)
        assert "hunter2" not in str(refused.value)

    async def test_it_makes_one_request_as_documented(self) -> None:
        exchange = Answers(next(iter(self.samples.accepted.values())))
        await self.provider.send(SMS, exchange)
        (request,) = exchange.requests
        assert (request.method, request.url, request.body) == (self.samples.method, self.samples.url, self.samples.body)
        assert self.samples.headers.items() <= request.headers.items()

    async def test_no_secret_number_or_text_shows_anywhere(self) -> None:
        provider = self.provider
        hidden = [*provider.config.secrets(), SMS.to, SMS.text, str(SMS.callback_url)]
        leak = " ".join(hidden).encode()
        shown = [repr(provider), repr(provider.config), str(provider.config), repr(SMS), repr(provider.request_for(SMS))]
        for status in (200, 400, 401, 403, 429, 500):
            error = await self.outcome(HttpAnswer(status=status, body=leak))
            shown += [repr(error), str(error)]
        shown.append(provider.redact(leak.decode()))
        for secret in [*provider.config.secrets(), SMS.to]:
            assert not [text for text in shown if secret in text]
        for value in hidden:
            assert not [text for text in shown[:-1] if value in text]

    async def test_it_is_accepted_with_the_documented_id(self) -> None:
        for message_id, answer in self.samples.accepted.items():
            accepted = await self.outcome(answer)
            assert isinstance(accepted, Accepted), accepted
            assert accepted.message_id == message_id

    async def test_a_2xx_without_the_id_is_unknown(self) -> None:
        for answer in self.samples.without_id:
            assert _is(await self.outcome(answer), Outcome.UNKNOWN)

    async def test_a_2xx_that_cannot_be_read_is_unknown(self) -> None:
        for status in (200, 201, 202, 204):
            for body in _GARBAGE:
                assert _is(await self.outcome(HttpAnswer(status=status, body=body)), Outcome.UNKNOWN)

    async def test_each_documented_refusal_has_its_outcome(self) -> None:
        for refusal in self.samples.refusals:
            error = await self.outcome(refusal.answer)
            assert isinstance(error, SendError)
            assert (error.outcome, error.code, error.opted_out) == (refusal.outcome, refusal.code, refusal.opted_out), refusal

    def test_every_row_of_its_tables_is_a_code_that_a_message_may_have(self) -> None:
        said = {fault.code for fault in self.adapter.faults.values()} | set(getattr(self.adapter, "report_codes", {}).values())
        assert said <= MESSAGE_CODES
        assert set(CATALOGUE) >= MESSAGE_CODES
        assert not [fault for fault in self.adapter.faults.values() if fault.opted_out and fault.code != "recipient.opted_out"]

    async def test_a_server_error_is_unknown_whatever_it_says(self) -> None:
        bodies = [_PAGE, b"", self.samples.error.body, *(refusal.answer.body for refusal in self.samples.refusals)]
        # A vendor's HTTP status may repeat a code of its own.
        clear = {(refusal.answer.status, refusal.answer.body) for refusal in self.samples.refusals}
        for status in (500, 501, 502, 504, 520, 599):
            for body in (each for each in bodies if (status, each) not in clear):
                assert _is(await self.outcome(HttpAnswer(status=status, body=body)), Outcome.UNKNOWN)

    async def test_a_server_that_is_busy_has_taken_nothing_unless_the_vendor_leaves_that_open(self) -> None:
        for body in (_PAGE, b"", self.samples.error.body):
            error = await self.outcome(HttpAnswer(status=503, body=body, headers={"retry-after": "7"}))
            assert isinstance(error, SendError)
            clear = self.adapter.busy_is_clear
            assert error.outcome is (Outcome.UNAVAILABLE if clear else Outcome.UNKNOWN)
            assert error.retry_after == 7.0
            assert error.counts_against_circuit

    async def test_slow_down_is_unavailable_and_no_illness(self) -> None:
        for answer in (self.samples.throttled, HttpAnswer(status=429, body=_PAGE, headers={"retry-after": "7"})):
            error = await self.outcome(answer)
            assert isinstance(error, SendError)
            assert (error.outcome, error.throttled, error.retry_after) == (Outcome.UNAVAILABLE, True, 7.0)
            assert not error.counts_against_circuit

    async def test_a_refused_account_stops_it_and_a_forbidden_message_does_not(self) -> None:
        error = await self.outcome(HttpAnswer(status=401, body=_PAGE))
        assert isinstance(error, SendError)
        assert error.opens_circuit
        assert _is(error, Outcome.MISCONFIGURED)
        assert _is(await self.outcome(HttpAnswer(status=403, body=_PAGE)), Outcome.NOT_FOR_THIS_PROVIDER)

    async def test_an_error_that_is_not_in_the_table_lets_the_next_one_try(self) -> None:
        error = await self.outcome(self.samples.error)
        assert isinstance(error, SendError)
        assert (error.tries_next, error.is_final, error.remembered) == (True, False, False)

    async def test_a_refusal_that_is_not_in_its_words_is_unknown(self) -> None:
        for status in (302, 400, 408, 409, 422):
            assert _is(await self.outcome(HttpAnswer(status=status, body=_PAGE)), Outcome.UNKNOWN)

    async def test_what_the_transport_says_is_passed_on(self) -> None:
        for error in (NotSentError("refused"), UnknownOutcomeError("reset")):
            assert await self.outcome(error) is error

    def test_its_callbacks_are_verified(self) -> None:
        assert bool(self.samples.signed) is self.adapter.capabilities.signed_callbacks
        for said in self.samples.signed:
            assert self.provider.verify(said.callback) is Verification.SIGNED
        for said in self.samples.unsigned:
            assert self.provider.verify(said.callback) is Verification.UNSIGNED

    def touched(self, callback: Callback) -> Sequence[Callback]:
        """What must no longer count as signed: change each part that the signature covers. Override it where that is less than all."""
        return [
            *touched_signature(callback),
            replace(callback, body=callback.body + b"&X=1"),
            replace(callback, url=callback.url + "&x=1"),
            replace(callback, headers={**callback.headers, "content-type": "text/plain"}),
        ]

    def test_a_callback_that_was_touched_is_forged(self) -> None:
        for said in self.samples.signed:
            assert {self.provider.verify(each) for each in self.touched(said.callback)} == {Verification.FORGED}

    def test_its_reports_are_read_as_documented(self) -> None:
        for said in (*self.samples.signed, *self.samples.unsigned):
            assert self.provider.read(said.callback) == list(said.events)

    def test_a_word_that_it_does_not_know_is_unknown(self) -> None:
        if self.samples.unmapped is not None:
            (receipt,) = self.provider.read(self.samples.unmapped)
            assert isinstance(receipt, Receipt)
            assert (receipt.status, receipt.recognised) == (Status.UNKNOWN, False)

    def test_it_reads_anything_without_raising(self) -> None:
        for kind in ("application/x-www-form-urlencoded", "application/json", "", "text/xml; charset=☃"):
            for body in (*_GARBAGE, b"a=1&a=2", b"%ff=%00", b"=&=;"):
                callback = Callback(method="POST", url="https://sms.example/?m=%ff&a", headers={"content-type": kind}, body=body)
                assert self.provider.read(callback) == []
                assert self.provider.verify(callback) in {Verification.FORGED, Verification.UNSIGNED}

    async def test_it_finds_by_our_reference_and_never_guesses(self) -> None:
        if not self.adapter.capabilities.look_up:
            return
        assert self.samples.found
        assert self.samples.not_found
        for message_id, answer in self.samples.found.items():
            exchange = Answers(answer)
            accepted = await self.provider.look_up(SMS.reference, exchange)
            assert accepted is not None
            assert accepted.message_id == message_id
            assert self.reference in exchange.requests[0].url
        for answer in self.samples.not_found:
            assert await self.provider.look_up(SMS.reference, Answers(answer)) is None
        unclear = [HttpAnswer(status=200, body=body) for body in _GARBAGE]
        unclear += [HttpAnswer(status=status, body=_PAGE) for status in (302, 400, 401, 403, 404, 429, 500, 503)]
        for answer in unclear:
            with pytest.raises(SendError):
                await self.provider.look_up(SMS.reference, Answers(answer))

    async def test_it_reads_what_is_left_and_never_guesses(self) -> None:
        if not self.adapter.capabilities.balance:
            return
        assert self.samples.balances
        for answer, balance in self.samples.balances:
            exchange = Answers(answer)
            assert await self.provider.balance(exchange) == balance
            (request,) = exchange.requests
            assert (request.method, request.url, request.body) == ("GET", self.samples.balance_url, b"")
        unclear = [*self.samples.no_balance, *(HttpAnswer(status=200, body=body) for body in _GARBAGE)]
        unclear += [HttpAnswer(status=status, body=_PAGE) for status in (302, 400, 401, 403, 404, 429, 500, 503)]
        for answer in unclear:
            with pytest.raises(SendError):
                await self.provider.balance(Answers(answer))

    def test_it_can_what_it_declares(self) -> None:
        declared = self.adapter.capabilities
        assert declared.look_up is (self.adapter.look_up is not Provider.look_up)
        assert declared.balance is (self.adapter.balance is not Provider.balance)
        assert declared.cancel is (self.adapter.cancel is not Provider.cancel)
        assert (declared.reports == "polled") is (self.adapter.poll is not Provider.poll)
        assert declared.signed_callbacks is (self.adapter.verify is not Provider.verify)


def touched_signature(callback: Callback) -> list[Callback]:
    """The same without its signature, with another, and with one that is none: for a signature that stands in the headers."""
    return [
        replace(callback, headers={k: v for k, v in callback.headers.items() if "signature" not in k}),
        replace(callback, headers={k: v[:-2] + "A=" if "signature" in k else v for k, v in callback.headers.items()}),
        replace(callback, headers={k: "é" if "signature" in k else v for k, v in callback.headers.items()}),
    ]


def _is(result: Accepted | SendError, outcome: Outcome) -> bool:
    return isinstance(result, SendError) and result.outcome is outcome
