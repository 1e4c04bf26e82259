"""`route`: which way a message would go."""

from argparse import Namespace
from typing import Any

from sms_backend.accounts.selectors import client_named
from sms_backend.core.operator import OperatorCommand, Shown
from sms_backend.routing.explain import explain
from sms_contract.status import Mode, TrafficType


class Command(OperatorCommand):
    """Which way a message would go."""

    help = "Routing: explain."

    def verbs(self) -> None:
        parser = self.verb("explain", self.explain, "Show who would be tried, in which order, and who not and why; nothing is sent.")
        parser.add_argument("--client", required=True, metavar="C", help="name or id")
        parser.add_argument("--to", required=True, metavar="N", help="E.164")
        parser.add_argument("--from", dest="sender", metavar="S", help="default: the client's")
        parser.add_argument("--traffic-type", choices=[t.value for t in TrafficType], default=TrafficType.TRANSACTIONAL.value, metavar="T")
        parser.add_argument("--providers", default="", metavar="a,b", help="as a message names them: exclusive and in order")
        parser.add_argument("--mode", choices=[m.value for m in Mode], default=Mode.LIVE.value)

    def explain(self, arguments: Namespace) -> Shown:
        document = explain(
            client_named(arguments.client),
            to=arguments.to,
            sender=arguments.sender,
            lane=arguments.traffic_type,
            wanted=[slug for slug in arguments.providers.split(",") if slug],
            mode=arguments.mode,
        )
        return Shown(document, *_lines(document))


def _lines(document: dict[str, Any]) -> list[str]:
    lines = [f"refused   {', '.join(document['refused'])}"] if document["refused"] else []
    lines += [f"held      {', '.join(document['held'])}"] if document["held"] else []
    lines += [f"{place}. {step['provider']}  ({step['because']}{_share(step)})" for place, step in enumerate(document["tried"], 1)]
    lines += [f"-  {slug}  ({why})" for slug, why in document["skipped"].items()]
    return lines or ["there is no provider"]


def _share(step: dict[str, Any]) -> str:
    return f", {step['share']:.0%} of the time before its equals" if step["share"] is not None else ""
