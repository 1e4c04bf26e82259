"""Every simulated vendor there is, in plain sight."""

from typing import Any, Final

from sms_simulators.twilio.api import Twilio
from sms_simulators.vendor import Vendor

VENDORS: Final[tuple[type[Vendor[Any]], ...]] = (Twilio,)
