"""Every simulated vendor there is, in plain sight."""

from typing import Any, Final

from sms_simulators.infobip.api import Infobip
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
)
