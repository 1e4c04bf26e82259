"""`adapter`: which vendors can be spoken to, and what they need to be told."""

from argparse import Namespace

from sms_backend.console.documents import adapter_document
from sms_backend.core.errors import NotFoundError
from sms_backend.core.operator import OperatorCommand, Shown, fields, table
from sms_providers.registry import ADAPTERS

#: What differs most between vendors; `show` has the rest.
_COLUMNS = ("name", "title", "reports", "inbound", "look_up", "deduplicates", "validity", "cancel", "balance")


class Command(OperatorCommand):
    """Which vendors can be spoken to."""

    help = "Adapters: list, show."

    def verbs(self) -> None:
        self.verb("list", self.list, "List all adapters.")
        self.verb("show", self.show, "Show capabilities and configuration of one.").add_argument("name", metavar="NAME")

    def list(self, _arguments: Namespace) -> Shown:
        rows = [adapter_document(slug) for slug in sorted(ADAPTERS)]
        return Shown(rows, *table([row | row["capabilities"] for row in rows], _COLUMNS))

    def show(self, arguments: Namespace) -> Shown:
        if arguments.name not in ADAPTERS:
            raise NotFoundError(f"there is no adapter {arguments.name!r}; there are {', '.join(sorted(ADAPTERS))}")
        document = adapter_document(arguments.name)
        properties = document["schema"].get("properties", {})
        required = set(document["schema"].get("required", ()))
        config = [
            {
                "field": name,
                "required": name in required,
                "secret": bool(spec.get("writeOnly")) or name in ADAPTERS[arguments.name].Config.secret_fields(),
                "default": spec.get("default"),
                "description": spec.get("description"),
            }
            for name, spec in properties.items()
        ]
        lines = [*fields({"name": document["name"], "title": document["title"]}), "", *fields(document["capabilities"])]
        return Shown(document, *lines, "", *table(config, ("field", "required", "secret", "default", "description")))
