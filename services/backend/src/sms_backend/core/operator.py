"""
What every operator's command has in common: a noun with verbs, `--json`, and plain words when something cannot be done.

A command is a shell: it reads arguments, calls a service or a selector, and shows what came back.
"""

import argparse
import json
from argparse import Namespace
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import redis
from django.core.management.base import BaseCommand, CommandError, CommandParser, OutputWrapper
from django.db import Error as DatabaseError
from django.dispatch import Signal

from sms_backend.core.errors import InvalidError, OperatorError

#: A command of an app that does not know the trail has changed something: `action`, `changes`. Whoever keeps a trail listens.
changed = Signal()

#: Options of every Django command, which are no operator's business: they work, and no help lists them.
DJANGOS = {"--version", "-v", "--verbosity", "--settings", "--pythonpath", "--traceback", "--no-color", "--force-color", "--skip-checks"}

#: A verb's arguments, to what is shown.
Verb = Callable[[Namespace], "Shown | None"]


class Error(CommandError):
    """What is said before the process ends with 1 (could not be done) or 2 (wrongly asked for)."""


class Shown:
    """What a verb has to show: one document, and the same for people; and why it counts as failed although there is something to show."""

    def __init__(self, document: Any, *lines: str, failure: str | None = None) -> None:
        self.document = document
        self.lines = lines
        self.failure = failure


class Streamed(Shown):
    """Rows, however many: asked for as documents or as lines for people, and written as they come."""

    def __init__(self, rows: Callable[[], Iterable[Any]], lines: Callable[[], Iterable[str]]) -> None:
        super().__init__(None)
        self.rows = rows
        self.texts = lines


class VerbParser(CommandParser):
    """Words that a verb does not know are told by the verb; argparse alone hands them up, and the noun's usage has none of its options."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> tuple[Any, list[str]]:
        """The hook of argparse."""
        known, unknown = super().parse_known_args(args, namespace)
        if unknown:
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        return known, unknown


class OperatorCommand(BaseCommand):
    """A noun. `verbs` adds its verbs by `self.verb(…)`."""

    requires_system_checks: list[str] = []
    suppressed_base_arguments = DJANGOS
    output_transaction = False

    def verbs(self) -> None:
        """Say what can be done with this noun."""
        raise NotImplementedError

    def verb(self, name: str, run: Verb, help_text: str) -> argparse.ArgumentParser:
        """Add a verb; its arguments are added to the parser that it returns."""
        parser = self._verbs.add_parser(name, help=help_text, description=help_text)
        parser.add_argument("--json", action="store_true", dest="as_json", help="one JSON document on stdout")
        parser.set_defaults(run=run, parser=parser)
        return parser

    def add_arguments(self, parser: CommandParser) -> None:
        """Django's hook."""
        self._verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB", parser_class=VerbParser)
        self.verbs()

    def handle(self, *_args: Any, **options: Any) -> None:
        """Run the verb, and say in plain words what was in the way."""
        arguments = Namespace(**options)
        try:
            _check_text(options)
            shown = arguments.run(arguments)
            if shown is not None:
                show(self.stdout, shown, as_json=arguments.as_json)
        except InvalidError as error:
            named = InvalidError({_typed(arguments.parser, field): problem for field, problem in error.problems.items()})
            raise Error(str(named), returncode=error.exit_code) from error
        except OperatorError as error:
            raise Error(str(error), returncode=error.exit_code) from error
        except redis.RedisError as error:
            raise Error(f"Redis does not answer ({type(error).__name__})", returncode=1) from error
        except DatabaseError as error:
            raise Error(f"PostgreSQL does not answer, or refuses: {str(error).strip().splitlines()[0]}", returncode=1) from error
        if shown is not None and shown.failure is not None:
            raise Error(shown.failure, returncode=1)

    def progress(self, text: str) -> None:
        """A line for people, never on stdout."""
        self.stderr.write(text)


class PlainCommand(OperatorCommand):
    """A command that is its own verb."""

    def add_arguments(self, parser: CommandParser) -> None:
        """Django's hook."""
        parser.add_argument("--json", action="store_true", dest="as_json", help="one JSON document on stdout")
        parser.set_defaults(run=self.run, parser=parser)
        self.options(parser)

    def options(self, parser: CommandParser) -> None:
        """Say what it takes."""
        raise NotImplementedError

    def run(self, arguments: Namespace) -> Shown:
        """Do it."""
        raise NotImplementedError


def _check_text(options: Mapping[str, Any]) -> None:
    """A terminal or a script may hand over bytes that are no text; nothing of ours could store or look for them."""
    for name, value in options.items():
        for text in value if isinstance(value, list) else (value,):
            if isinstance(text, str) and not _is_text(text):
                raise InvalidError({name.replace("_", "-"): "it is not UTF-8"})


def _typed(parser: argparse.ArgumentParser, field: str) -> str:
    """A field by the option that it was given by."""
    return next((action.option_strings[-1] for action in parser._actions if action.option_strings and action.dest == field), field)  # noqa: SLF001


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def show(out: OutputWrapper, shown: Shown, *, as_json: bool) -> None:
    """Write the one document, or the lines for people."""
    if isinstance(shown, Streamed):
        for text in _array(shown.rows()) if as_json else shown.texts():
            out.write(text, ending="")
    elif as_json:
        out.write(json.dumps(shown.document, indent=2, ensure_ascii=False, default=str))
    else:
        for line in shown.lines:
            out.write(line)


def table(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> list[str]:
    """Rows in aligned columns, for people."""
    cells = [[_cell(row.get(column)) for column in columns] for row in rows]
    heads = [column.replace("_", " ") for column in columns]
    widths = [max(map(len, column)) for column in zip(heads, *cells, strict=True)]
    return ["  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip() for line in [heads, *cells]]


def fields(document: Mapping[str, Any]) -> list[str]:
    """One document, a field a line, for people."""
    width = max(map(len, document), default=0)
    return [f"{name.replace('_', ' ').ljust(width)}  {_cell(value)}" for name, value in document.items()]


def whole(least: int, most: int) -> Callable[[str], int]:
    """An argument that is a whole number between two."""

    def convert(text: str) -> int:
        # Not `int` alone, which has a limit of its own, and takes blanks and underscores.
        plain = text.isascii() and text.isdecimal() and len(text) <= len(str(most))
        if not plain or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"give a whole number from {least} to {most}")
        return int(text)

    return convert


#: How many rows a list is asked for.
rows_at_most = whole(1, 1_000_000)
#: Which row of a table.
row_id = whole(1, 2**63 - 1)


def or_none(kind: Callable[[str], Any]) -> Callable[[str], Any]:
    """An argument that may be `none`, to take a limit away."""

    def convert(text: str) -> Any:
        return None if text == "none" else kind(text)

    convert.__name__ = kind.__name__
    return convert


def given(arguments: Namespace, *names: str) -> dict[str, Any]:
    """Those of the arguments that were on the command line; the others have the default `argparse.SUPPRESS`."""
    return {name: getattr(arguments, name) for name in names if hasattr(arguments, name)}


def _array(rows: Iterable[Any]) -> Iterator[str]:
    yield "["
    for number, row in enumerate(rows):
        yield (",\n" if number else "\n") + json.dumps(row, ensure_ascii=False, default=str)
    yield "\n]\n"


def _cell(value: Any) -> str:
    if value is None or value == []:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    if isinstance(value, Mapping):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)
