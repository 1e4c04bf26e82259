"""The words that vendors' own SDKs know for what became of a message: an adapter knows each of them."""

from typing import Any, Literal, get_args, get_origin

import botocore.session
import pytest
from infobip_api_client.models import MessageGeneralStatus
from sinch.domains.sms.models.v1.types import DeliveryReceiptStatusCodeType, DeliveryStatusType
from telnyx.types.outbound_message_payload import To

from sms_providers.adapters.infobip import InfobipProvider
from sms_providers.adapters.kavenegar import KavenegarProvider
from sms_providers.adapters.magfa import MagfaProvider
from sms_providers.adapters.sinch import SinchProvider
from sms_providers.adapters.sns import SnsProvider
from sms_providers.adapters.telnyx import TelnyxProvider
from sms_providers.adapters.vonage import VonageProvider
from sms_providers.base import HttpProvider
from sms_providers.errors import Outcome

#: As the vendors' pages list them, which their SDKs have not; for Vonage the same as `SmsStatusCode` of its SDK for .NET.
DOCUMENTED = {
    # https://developer.vonage.com/messaging/sms/guides/troubleshooting-sms
    VonageProvider: {*range(1, 13), 14, 15, 22, 23, 29, 32, 33},
    # https://kavenegar.com/rest.html
    KavenegarProvider: {*range(400, 408), 409, *range(411, 421), 422, 424, *range(426, 430), 431, 432, 451, 501},
    # https://messaging.magfa.com/ui/?public/wiki/api/http_v2
    MagfaProvider: {1, 2, 3, 4, 6, 8, *range(13, 21), *range(22, 26), *range(27, 32), 33, 34, *range(101, 111)},
}

#: What has no code of ours says no more than "did not arrive": on its way, canceled, and what Sinch's reference does not explain.
_UNEXPLAINED = {400, 401, 403, 407, 415, 416, 417, 418}


def literals(kind: Any) -> set[Any]:
    """All values of a type's literals, however deep."""
    if get_origin(kind) is Literal:
        return set(get_args(kind))
    return {value for inner in get_args(kind) for value in literals(inner)}


@pytest.mark.parametrize(
    ("adapter", "words"),
    [
        (TelnyxProvider, literals(To.model_fields["status"].annotation)),
        (SinchProvider, {word.lower() for word in literals(DeliveryStatusType)}),
    ],
)
def test_every_status_of_the_sdk_is_known(adapter: type[HttpProvider[Any]], words: set[str]) -> None:
    assert words
    assert words - set(adapter.statuses) == set()  # type: ignore[attr-defined]


def test_every_group_of_infobips_sdk_is_known() -> None:
    assert {group.value for group in MessageGeneralStatus} <= set(InfobipProvider.groups)


def test_sinchs_codes_are_those_of_its_sdk() -> None:
    ours = {int(code) for code in SinchProvider.report_codes}
    assert ours <= literals(DeliveryReceiptStatusCodeType)
    assert literals(DeliveryReceiptStatusCodeType) - ours == _UNEXPLAINED


@pytest.mark.parametrize(("adapter", "codes"), DOCUMENTED.items(), ids=lambda value: getattr(value, "slug", ""))
def test_every_documented_error_of_a_send_is_known(adapter: type[HttpProvider[Any]], codes: set[int]) -> None:
    assert {str(code) for code in codes} - set(adapter.faults) == set()


def test_snss_errors_of_a_publish_are_known_or_nobodys_but_anothers_turn() -> None:
    shapes = botocore.session.get_session().get_service_model("sns").operation_model("Publish").error_shapes
    codes = {shape.metadata["error"]["code"] for shape in shapes if shape.metadata["error"]["httpStatusCode"] < 500}
    # What is about topics, endpoints of apps and their keys never comes to a number; if it did, the next provider's turn it is.
    elsewhere = {code for code in codes if code.startswith(("KMS", "Endpoint", "Platform")) or code == "NotFound"}
    assert codes - elsewhere <= set(SnsProvider.faults)
    throttling = {code for code in SnsProvider.faults if "hrottl" in code}
    assert {SnsProvider.faults[code].outcome for code in throttling} == {Outcome.UNAVAILABLE}
