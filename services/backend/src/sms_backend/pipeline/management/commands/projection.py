"""`projection`: what Redis shows, made anew from PostgreSQL."""

from argparse import Namespace

from sms_backend.core.errors import NotProjectedError
from sms_backend.core.operator import OperatorCommand, Shown, changed
from sms_backend.pipeline import readmodel
from sms_backend.pipeline.readmodel import Phase

_HINTS = {
    Phase.UNREACHABLE: "Redis does not answer",
    Phase.ELSEWHERE: "another process is rebuilding it",
    Phase.SETTLING: "what was being published has not settled yet",
    Phase.DRAINING: "intake has not stored everything yet; is it running?",
}


class Command(OperatorCommand):
    """What Redis shows."""

    help = "The read model in Redis: rebuild."

    def verbs(self) -> None:
        rebuild = self.verb("rebuild", self.rebuild, "Put Redis right, from PostgreSQL.")
        rebuild.add_argument("--seconds", type=float, default=120, metavar="N", help="how long to wait at most; default: 120")

    def rebuild(self, arguments: Namespace) -> Shown:
        phase = readmodel.rebuild(self.progress, seconds=arguments.seconds)
        if phase is not Phase.READY:
            raise NotProjectedError(f"not done: {_HINTS[phase]}; it goes on by itself as soon as it can")
        changed.send(type(self), action="projection.rebuilt", changes={})
        return Shown({"ready": True}, "Redis is right.")
