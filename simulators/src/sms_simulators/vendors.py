"""Every simulated vendor there is, in plain sight."""

from typing import Any, Final

from sms_simulators.infobip.api import Infobip
from sms_simulators.kannel.api import Kannel
from sms_simulators.kavenegar.api import Kavenegar
from sms_simulators.magfa.api import Magfa
from sms_simulators.plivo.api import Plivo
from sms_simulators.sinch.api import Sinch
from sms_simulators.telnyx.api import Telnyx
from sms_simulators.twilio.api import Twilio
from sms_simulators.vendor import Vendor
from sms_simulators.vonage.api import Vonage

VENDORS: Final[tuple[type[Vendor[Any]], ...]] = (
    Twilio,
    Vonage,
    Telnyx,
    Infobip,
    Sinch,
    Magfa,
    Plivo,
    Kannel,
    Kavenegar,  # after all others: what follows `/v1/` is its customers' keys
)
