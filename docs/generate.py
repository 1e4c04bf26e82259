"""
Fills the reference pages from the code, and makes `.env.example`: `python docs/generate.py [--check]`.

A page holds its own words, and between `<!-- generated: NAME -->` and `<!-- end -->` what `PARTS[NAME]` says. A test of the repository
runs this with `--check`, so that no page can lag behind.
"""  # noqa: INP001 - documentation is no package

import argparse
import ast
import inspect
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from cryptography.fernet import Fernet

# Server B reads its environment when it is imported; nothing here connects to any of these.
os.environ |= {
    "DATABASE_URL": "postgresql://nobody@127.0.0.1/none",
    "RABBITMQ_URL": "amqp://nobody@127.0.0.1/none",
    "REDIS_URL": "redis://127.0.0.1/0",
    "PUBLIC_BASE_URL": "http://127.0.0.1",
    "SMSGW_SECRET_KEY": "-" * 32,
    "SMSGW_KEY_PEPPER": "-" * 32,
    "SMSGW_CALLBACK_SECRET": "-" * 32,
    "SMSGW_CREDENTIAL_KEYS": Fernet.generate_key().decode(),
    "DJANGO_SETTINGS_MODULE": "sms_backend.config.settings",
    "COLUMNS": "500",  # argparse breaks lines by it
}

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import django
import setting_documents  # beside this file
from chaos.mutations import MUTATIONS
from chaos.scenarios import SCENARIOS
from django.core.management import get_commands, load_command_class
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

from sms_backend.core import environment as backend_settings
from sms_backend.core import metrics as backend_metrics
from sms_backend.core.operator import PlainCommand
from sms_backend.messages import gauges as backend_gauges
from sms_backend.routing import gauges as routing_gauges
from sms_contract import errors, keyspace, status, topology
from sms_gateway import settings as gateway_settings
from sms_gateway.observability import metrics as gateway_metrics
from sms_providers.base import Provider
from sms_providers.registry import ADAPTERS
from sms_stack.commands import HELP

REFERENCE = Path(__file__).parent / "reference"
EXAMPLE = Path(__file__).parent.parent / ".env.example"
_PART = re.compile(r"(<!-- generated: (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)
#: Options that every Django command has.
_DJANGOS = {"settings", "pythonpath", "verbosity", "version", "help", "traceback", "no_color", "force_color", "skip_checks", "as_json"}
_METRICS = {"Counter": "counter", "Gauge": "gauge", "Histogram": "histogram", "GaugeMetricFamily": "gauge"}
#: Whose keys are in Redis; the others are written by Server A, and settled or restored by Server B.
_WRITTEN_BY_B = {"api_key", "client", "status", "refunded"}


def table(heads: list[str], rows: list[list[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)


def sentence(text: str | None) -> str:
    """A docstring as one line."""
    return " ".join((text or "").split())


def tree_of(module: ModuleType) -> ast.Module:
    return ast.parse(inspect.getsource(module))


def settings(kind: type[BaseSettings], module: ModuleType) -> str:
    rows = [[f"`{name}`", _default(field), meaning] for name, field, meaning in setting_documents.fields(kind, module)]
    return table(["variable", "default", "meaning"], rows)


def other_settings(rows: Iterable[tuple[str, str | None, str]]) -> str:
    told = [[f"`{name}`", "required" if value is None else f"`{value}`" if value else "–", meaning] for name, value, meaning in rows]
    return table(["variable", "default", "meaning"], told)


def _default(field: FieldInfo) -> str:
    value = setting_documents.default(field)
    if value is None:
        return "required"
    return f"`{value}`" if value else "–"


def error_codes() -> str:
    groups: dict[int | None, list[errors.ErrorEntry]] = {}
    for entry in errors.CATALOGUE.values():
        groups.setdefault(entry.status, []).append(entry)
    parts = []
    for http_status, entries in groups.items():
        rows = [[f"`{e.code}`", e.title, "yes" if e.retryable else "", e.action] for e in entries]
        title = f"HTTP {http_status}" if http_status else "On a message only"
        parts.append(f"## {title}\n\n" + table(["code", "title", "retryable", "what to do"], rows))
    return "\n".join(parts)


def statuses() -> str:
    meanings = dict(re.findall(r'^    [A-Z]+ = "(\w+)"  #: (.+)$', inspect.getsource(status.Status), re.MULTILINE))
    return table(["status", "meaning", "final"], [[f"`{s}`", meanings[s], "yes" if s.is_final else ""] for s in status.Status])


def queues() -> str:
    rows = [[f"`{q.name}`", f"`{q.exchange}`", ", ".join(f"`{k}={v}`" for k, v in q.arguments.items())] for q in topology.QUEUES]
    return table(["queue", "exchange", "arguments"], rows)


def hint_queues() -> str:
    return table(["queue", "exchange"], [[f"`{name}`", f"`{topology.CELERY_EXCHANGE}`"] for name in topology.CELERY_QUEUES])


def exchanges() -> str:
    kinds = topology.EXCHANGES | {topology.CELERY_EXCHANGE: "direct"}
    return table(["exchange", "type"], [[f"`{name}`", kind] for name, kind in kinds.items()])


def redis_keys() -> str:
    rows = [[f"`{getattr(keyspace, name)}`", "B", _comment_over(keyspace, name)] for name in ("MARKER", "PROVIDERS")]
    for name, function in inspect.getmembers(keyspace, inspect.isfunction):
        if name not in {"client_prefix", "idempotency_digest", "pepper_mark"}:
            key = function(**{parameter: f"<{parameter}>" for parameter in inspect.signature(function).parameters})
            rows.append([f"`{key}`", "B" if name in _WRITTEN_BY_B else "A, B", sentence(function.__doc__)])
    return table(["key", "written by", "what"], rows)


def redis_records() -> str:
    records = (keyspace.KeyRecord, keyspace.ClientRecord, keyspace.ProviderRecord)
    return table(["record", "fields"], [[f"`{r.__name__}`", ", ".join(f"`{f}`" for f in r.__struct_fields__)] for r in records])


def _comment_over(module: ModuleType, name: str) -> str:
    """The `#:` comment over a constant."""
    found = re.search(rf"^#: (.+)\n{name}\b", inspect.getsource(module), re.MULTILINE)
    return found[1] if found else ""


def metrics(*modules: ModuleType) -> str:
    return table(["metric", "type", "labels", "meaning"], [row for module in modules for row in _metrics_of(module)])


def _metrics_of(module: ModuleType) -> Iterator[list[str]]:
    for call in (node for node in ast.walk(tree_of(module)) if isinstance(node, ast.Call)):
        kind = _METRICS.get(getattr(call.func, "id", ""))
        if kind is None:
            continue
        name, words, *rest = [_evaluated(argument, module) for argument in call.args]
        labels = next((_evaluated(keyword.value, module) for keyword in call.keywords if keyword.arg == "labels"), rest[0] if rest else [])
        shown = f"{name}_total" if kind == "counter" and not name.endswith("_total") else name
        yield [f"`{shown}`", kind, ", ".join(f"`{label}`" for label in labels), words]


def _evaluated(node: ast.expr, module: ModuleType) -> Any:
    return eval(compile(ast.Expression(node), module.__name__, "eval"), vars(module))  # noqa: S307 - our own source


def commands() -> str:
    return table(["command", "does"], [[f"`./smsgw {name}`", text] for name, text in HELP])


def operator_commands() -> str:
    django.setup()
    ours = sorted((name, app) for name, app in get_commands().items() if app.startswith("sms_backend"))
    return "\n".join(_noun(name, load_command_class(app, name)) for name, app in ours)


def _noun(name: str, command: Any) -> str:
    part = f"### {name}\n\n{command.help}\n"
    parser = command.create_parser("./smsgw manage", name)
    if isinstance(command, PlainCommand):
        options = [a for a in parser._actions if a.option_strings and a.help and a.dest not in _DJANGOS]  # noqa: SLF001
        usage = " ".join(_usage(a) for a in options)
        words = "; ".join(f"`{a.option_strings[0]}`: {a.help}" for a in options)
        return part + "\n" + table(["command", "does"], [[f"`{name} {usage}`", words]])
    for action in parser._actions:  # noqa: SLF001 - argparse has no other way to ask
        if not isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            continue
        rows = []
        for choice in action._choices_actions:  # noqa: SLF001
            usage = " ".join(action.choices[choice.dest].format_usage().split()).split(f"manage {name} ")[1]
            rows.append([f"`{name} {usage.replace(' [-h]', '').replace(' [--json]', '')}`", choice.help or ""])
        part += "\n" + table(["command", "does"], rows)
    return part


def _usage(option: argparse.Action) -> str:
    return f"[{option.option_strings[0]}{f' {option.metavar}' if option.metavar else ''}]"


def capabilities() -> str:
    flags = {
        "URL": "callback_per_message",
        "signed": "signed_callbacks",
        "reference": "client_reference",
        "ids of parts": "part_ids",
        "de-duplicates": "deduplicates",
        "look-up": "look_up",
        "validity": "validity",
        "cancel": "cancel",
        "inbound": "inbound",
        "balance": "balance",
    }
    rows = [
        [f"[`{slug}`](#{slug})", str(able.reports), *("yes" if getattr(able, name) else "" for name in flags.values())]
        for slug, able in sorted((slug, adapter.capabilities) for slug, adapter in ADAPTERS.items())
    ]
    return table(["adapter", "reports", *flags], rows)


def adapters() -> str:
    return "\n".join(_adapter(slug, adapter) for slug, adapter in sorted(ADAPTERS.items()))


def _adapter(slug: str, adapter: type[Provider[Any]]) -> str:
    rows = [
        [f"`{name}`", _default(field), "secret" if name in adapter.Config.secret_fields() else "", field.description or ""]
        for name, field in adapter.Config.model_fields.items()
    ]
    words = sentence((inspect.getdoc(adapter) or "").replace("<", "&lt;"))
    fields = table(["field", "default", "", "meaning"], rows) if rows else "Nothing to configure.\n"
    return f"### {slug}\n\n{adapter.title}. {words}\n\n{fields}"


def scenarios() -> str:
    rows = []
    for one in SCENARIOS.values():
        found = ", ".join(f"`{mutation.name}`" for mutation in MUTATIONS if one.name in mutation.scenarios)
        rows.append([f"`{one.name}`" + (" (fast)" if one.fast else ""), one.number, one.proves, found])
    return table(["scenario", "failure", "proves", "fails under"], rows)


def mutations() -> str:
    return table(
        ["mutation", "what is wrong", "found by"],
        [[f"`{one.name}`", one.wrong, ", ".join(f"`{name}`" for name in one.scenarios)] for one in MUTATIONS],
    )


PARTS: dict[str, Callable[[], str]] = {
    "gateway-settings": lambda: settings(gateway_settings.Settings, gateway_settings),
    "backend-settings": lambda: settings(backend_settings.Environment, backend_settings),
    "stack-settings": lambda: other_settings(setting_documents.STACK),
    "compose-settings": lambda: other_settings(setting_documents.COMPOSE),
    "error-codes": error_codes,
    "statuses": statuses,
    "queues": queues,
    "hint-queues": hint_queues,
    "exchanges": exchanges,
    "redis-keys": redis_keys,
    "redis-records": redis_records,
    "gateway-metrics": lambda: metrics(gateway_metrics),
    "backend-metrics": lambda: metrics(backend_metrics, backend_gauges, routing_gauges),
    "commands": commands,
    "operator-commands": operator_commands,
    "adapters": adapters,
    "capabilities": capabilities,
    "scenarios": scenarios,
    "mutations": mutations,
}


def filled(page: str) -> str:
    return _PART.sub(lambda part: f"{part[1]}\n{PARTS[part[2]]()}\n{part[3]}", page)


def documents() -> Iterator[tuple[Path, str]]:
    """Every file that is made or filled here, and how it should be."""
    for path in sorted(REFERENCE.glob("*.md")):
        yield path, filled(path.read_text(encoding="utf-8"))
    yield EXAMPLE, setting_documents.example()


def main() -> None:
    check = "--check" in sys.argv[1:]
    stale = []
    for path, text in documents():
        if path.read_text(encoding="utf-8") != text:
            stale.append(path.name)
            if not check:
                path.write_text(text, encoding="utf-8")
    if check and stale:
        sys.exit(f"not as the code has it: {', '.join(stale)}; run: .venv/bin/python docs/generate.py")


if __name__ == "__main__":
    main()
