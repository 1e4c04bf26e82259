"""Words by which a person ends or begins to get messages: the whole text, in whatever case. Pure."""

from sms_providers.types import Inbound, OptOut

#: What Telnyx, Twilio and AWS take as a stop, together.
STOP = frozenset(
    {
        "stop",
        "stopall",
        "stop all",
        "unsubscribe",
        "cancel",
        "end",
        "quit",
        "revoke",
        "optout",
        "opt-out",
        "arret",
        "arrêt",
        "remove",
        "td",
    }
)
START = frozenset({"start", "unstop"})
HELP = frozenset({"help", "info"})
_ASKS = {**dict.fromkeys(STOP, OptOut.STOP), **dict.fromkeys(START, OptOut.START), **dict.fromkeys(HELP, OptOut.HELP)}


def asks(message: Inbound) -> OptOut | None:
    """What a message asks for: as the vendor says, else by its text; a sentence that holds such a word asks for nothing."""
    return message.opt_out or _ASKS.get(" ".join(message.text.casefold().split()))
