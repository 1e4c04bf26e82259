"""Settings as documents: tables for the reference, and `.env.example`, both from the classes that read them."""  # noqa: INP001 - documentation is no package

import ast
import inspect
from collections.abc import Iterator
from itertools import pairwise
from types import ModuleType

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined
from pydantic_settings import BaseSettings

from sms_backend.core import environment as backend
from sms_gateway import settings as gateway
from sms_stack import replicas

#: What only ./smsgw looks at: name, default, meaning.
STACK = (
    ("SMSGW_HOME", "var", "Where an instance keeps its state; another folder is another, independent instance."),
    *((setting, "1", f"How many processes like `{kind}` run side by side.") for kind, setting in replicas.SETTINGS.items()),
)
#: What only compose.yaml looks at; None: it has to be set.
COMPOSE: tuple[tuple[str, str | None, str], ...] = (
    ("SMSGW_PUBLIC_ADDRESS", "127.0.0.1:8080", "Where the proxy of compose.yaml listens: address and port of the machine."),
    ("POSTGRES_PASSWORD", None, "For PostgreSQL in its container; letters, digits, - and _."),
    ("RABBITMQ_PASSWORD", None, "For RabbitMQ in its container; letters, digits, - and _."),
    ("EXTRAS", "", "What images are built with beside what they need: --extra otel, for traces."),
    ("REDIS_PASSWORD", None, "For Redis in its container; letters, digits, - and _."),
)
#: What stands for a value that nobody can guess.
EXAMPLES = {
    "DATABASE_URL": "postgresql://smsgw:password@127.0.0.1:5432/smsgw",
    "RABBITMQ_URL": "amqp://smsgw:password@127.0.0.1:5672/smsgw",
    "REDIS_URL": "redis://:password@127.0.0.1:6379/0",
    "PUBLIC_BASE_URL": "https://sms.example.com",
}
_HEAD = """\
# Every setting, with its default; made from the code by docs/generate.py.
#
# ./smsgw needs none of them: it makes secrets at its first start, and keeps them in var/. To set some: copy this file to .env,
# and before any ./smsgw command: set -a; . ./.env; set +a
# compose.yaml needs the secrets: sh deploy/docker/new-secrets > .env, and add to that what you set.
"""


def fields(kind: type[BaseSettings], module: ModuleType) -> Iterator[tuple[str, FieldInfo, str]]:
    """Name of the variable, how it is declared, and what it means, of each setting."""
    prefix = kind.model_config.get("env_prefix", "")
    words = {name: field.description or "" for name, field in kind.model_fields.items()} | dict(_docstrings(kind, module))
    for name, field in kind.model_fields.items():
        yield str(field.validation_alias or prefix + name).upper(), field, " ".join(words[name].split())


def default(field: FieldInfo) -> str | None:
    """As it is written in the environment; None where there is none, and the setting is required."""
    if field.default is PydanticUndefined:
        return None
    if isinstance(field.default, bool):
        return str(int(field.default))
    return "" if field.default is None else str(field.default)


def example() -> str:
    """`.env.example`, whole."""
    servers = (
        ("Server A, the gateway", list(fields(gateway.Settings, gateway))),
        ("Server B: intake, workers, beat, web, and the operator's commands", list(fields(backend.Environment, backend))),
    )
    parts = [_HEAD, _section("./smsgw alone", [_entry(*setting) for setting in STACK])]
    said: set[str] = set()
    for title, settings in servers:
        fresh = [(name, default(field), meaning) for name, field, meaning in settings if name not in said]
        said |= {name for name, _, _ in fresh}
        parts.append(_section(title, [_entry(name, EXAMPLES.get(name, value or ""), meaning) for name, value, meaning in fresh]))
    parts.append(_section("compose.yaml alone", [_entry(name, value or "", meaning) for name, value, meaning in COMPOSE]))
    return "\n".join(parts)


def _section(title: str, entries: list[str]) -> str:
    return f"# ── {title} ──\n\n" + "\n".join(entries)


def _entry(name: str, value: str, meaning: str) -> str:
    return f"# {meaning.replace('`', '')}\n#{name}={value}\n"


def _docstrings(kind: type[BaseSettings], module: ModuleType) -> Iterator[tuple[str, str]]:
    """Fields with a string under them."""
    source = ast.parse(inspect.getsource(module))
    body = next(node.body for node in source.body if isinstance(node, ast.ClassDef) and node.name == kind.__name__)
    for field, under in pairwise(body):
        if not isinstance(field, ast.AnnAssign) or not isinstance(field.target, ast.Name):
            continue
        if isinstance(under, ast.Expr) and isinstance(under.value, ast.Constant):
            yield field.target.id, str(under.value.value)
