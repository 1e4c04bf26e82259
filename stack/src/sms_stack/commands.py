"""The commands of ./smsgw, each a few lines around a function that does the work."""

import json
import os
import shutil
import sys
from dataclasses import asdict
from typing import Annotated, Any

import typer

from sms_stack import demo, journal, lifecycle, lint, telling, tiers
from sms_stack import status as state
from sms_stack.errors import NotUp, StackError
from sms_stack.home import ROOT, Home
from sms_stack.instance import SIMULATOR, Instance
from sms_stack.lifecycle import TROUBLE, environment_of
from sms_stack.progress import errors, results, say
from sms_stack.services import postgresql
from sms_stack.supervision import Supervisor

app = typer.Typer(add_completion=False, no_args_is_help=False, rich_markup_mode=None, pretty_exceptions_enable=False)
PASS = {"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []}

Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]

HELP = (
    ("demo", "Bring everything up and show it: delivered, failed over, replayed; leaves it running"),
    ("up", "Start everything on this machine and wait until it is ready"),
    ("down [NAME…]", "Stop all of it, or the named processes; the data stays"),
    ("restart [NAME…]", "Stop and start everything, or the named processes"),
    ("status", "What runs, where, and whether it is ready"),
    ("logs [NAME] [-f] [--tracking-id ID]", "The last lines of every log or of one; -f follows; or what all say about one message"),
    ("test [TIER…] [PYTEST ARGS]", "The proofs: unit, integration, e2e, repo; all of them unless named"),
    ("lint", "Style, types and import rules"),
    ("bench [accept|batch|pipeline|growth]", "How fast it is here, each with its baseline or account"),
    ("chaos [SCENARIO…]", "Faults under load, and the account: nothing lost, nothing doubled; --list, --mutations"),
    ("soak [--minutes 60]", "Load without end and a fault every minute: nothing lost, and nothing grows"),
    ("manage …", "The operator's commands; `./smsgw manage help` lists them"),
    ("help", "This list"),
)


def report(document: Any) -> None:
    """The one JSON document of a command."""
    sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")


@app.command("help", help="This list.")
def show_help() -> None:
    width = max(len(name) for name, _ in HELP)
    results.print("An SMS gateway on one machine.\n")
    for name, text in HELP:
        results.print(f"  ./smsgw {name:<{width}}  {text}", markup=False)
    results.print(
        "\nCommands that report take --json: one document on stdout, progress on stderr. State lives in SMSGW_HOME (default: var/)."
    )


@app.command("demo", help="Bring everything up and show the main job.")
def show_demo(*, as_json: Json = False) -> None:
    told = demo.run(Home.from_environment())
    if as_json:
        report(told)
    else:
        telling.show(told)
    raise typer.Exit(0 if told["ok"] else 1)


@app.command(help="Start everything and wait until it is ready.")
def up(*, as_json: Json = False, services_only: Annotated[bool, typer.Option("--services-only", hidden=True)] = False) -> None:
    home = Home.from_environment()
    lifecycle.up(home, services_only=services_only)
    if as_json:
        report(state.document(home))
    elif services_only:
        say("The services are up.")
    else:
        state.show(state.document(home))


@app.command(help="Stop everything, or the named processes; the data stays.")
def down(names: Annotated[list[str] | None, typer.Argument()] = None, *, as_json: Json = False) -> None:
    home = Home.from_environment()
    if names:
        supervisor = Supervisor(home)
        supervisor.stop(_known(supervisor, names))
        was_up = True
    else:
        was_up = lifecycle.down(home)
    if as_json:
        report(state.document(home))
    elif names:
        results.print(f"Stopped: {', '.join(names)}. ./smsgw up starts what is missing.")
    else:
        results.print("Everything is stopped; the data stays." if was_up else "Nothing was running.")


@app.command(help="Stop and start everything, or the named processes.")
def restart(names: Annotated[list[str] | None, typer.Argument()] = None, *, as_json: Json = False) -> None:
    home = Home.from_environment()
    supervisor = Supervisor(home)
    simulator = SIMULATOR in supervisor.running()  # what the demo's provider sends through
    if names:
        known = _known(supervisor, names)
        supervisor.stop(known)
        supervisor.start(known)
    else:
        lifecycle.down(home)
    lifecycle.up(home, simulator=simulator)
    report(state.document(home)) if as_json else state.show(state.document(home))


@app.command(help="What runs, where, and whether it is ready.")
def status(*, as_json: Json = False) -> None:
    document = state.document(Home.from_environment())
    report(document) if as_json else state.show(document)


@app.command(help="The last lines of every log or of one; -f follows.")
def logs(
    name: Annotated[str, typer.Argument()] = "",
    *,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on as lines come in.")] = False,
    lines: Annotated[int, typer.Option("-n", "--lines", help="How many.")] = 40,
    tracking_id: Annotated[str, typer.Option("--tracking-id", help="One message or batch, across both servers, in order.")] = "",
    as_json: Json = False,
) -> None:
    home = Home.from_environment()
    if tracking_id:
        entries = journal.about(home, tracking_id)
        report([entry.document for entry in entries]) if as_json else journal.show(entries)
        return
    files = sorted(home.logs.glob("*.log")) if home.logs.is_dir() else []
    if name:
        files = [file for file in files if file.stem == name]
    if not files:
        known = ", ".join(sorted(file.stem for file in home.logs.glob("*.log"))) if home.logs.is_dir() else "none yet"
        raise StackError(f"There is no log {name!r}. Logs here: {known}." if name else "There are no logs yet. Start with: ./smsgw up")
    os.execvp("tail", ["tail", "-n", str(lines if name else min(lines, 10)), *(["-F"] if follow else []), *map(str, files)])  # noqa: S606, S607


@app.command(context_settings=PASS, help="The operator's commands; also every Django command.")
def manage(context: typer.Context) -> None:
    instance = Instance.load(Home.from_environment())
    asks_for_help = not context.args or context.args[0] == "help" or {"-h", "--help", "--version"} & set(context.args)
    if not asks_for_help:
        # Nothing goes without it. What else a command needs it says itself: most are wanted most while Redis or RabbitMQ is away.
        trouble = TROUBLE[postgresql.NAME](instance.service_urls[postgresql.NAME])
        if trouble is not None:
            raise NotUp(f"{postgresql.NAME} does not answer ({trouble}). Start the system with: ./smsgw up")
    _replace_by("sms_backend", context.args, instance)


@app.command(context_settings=PASS, help="How fast it is here: accept, batch, pipeline or growth.")
def bench(context: typer.Context) -> None:
    names = [name for name in ("accept", "batch", "pipeline", "growth") if (ROOT / "bench" / f"{name}.py").exists()]
    if not context.args or context.args[0] not in names:
        raise typer.BadParameter(f"name what to measure: {', '.join(names) or 'nothing is here yet'}.")
    if context.args[0] in {"accept", "batch"} and shutil.which("wrk") is None:
        lifecycle.install(["wrk"], reason="The benchmark needs wrk, which makes its load")
    instance = lifecycle.up(Home.from_environment(), simulator=True)
    _replace_by(f"bench.{context.args[0]}", context.args[1:], instance)


@app.command(context_settings=PASS, help="Faults under load, and the account afterwards; --help says more.")
def chaos(context: typer.Context) -> None:
    _break("chaos", context.args)


@app.command(context_settings=PASS, help="Load without end and a fault every minute; --help says more.")
def soak(context: typer.Context) -> None:
    _break("chaos.soak", context.args)


@app.command(context_settings=PASS, help="The proofs: unit, integration, e2e, repo, or any folder of tests/.")
def test(context: typer.Context) -> None:
    if context.args[:1] in (["-h"], ["--help"]):
        more = (name for name in tiers.known() if name not in tiers.DEFAULT)
        results.print("usage: ./smsgw test [TIER…] [PYTEST ARGS] [--json]\n", markup=False)
        results.print(f"Tiers:             {', '.join(tiers.DEFAULT)} (all of these unless named)")
        results.print(f"Slower, by name:   {', '.join(more)}")
        results.print("What follows goes to pytest: ./smsgw test integration -k cancel")
        return
    as_json = "--json" in context.args
    names, arguments = tiers.split([word for word in context.args if word != "--json"])
    outcomes = tiers.run(names, arguments, quiet=as_json)
    passed, failed, skipped = (sum(getattr(each, what) for each in outcomes) for what in ("passed", "failed", "skipped"))
    if as_json:
        report({"tiers": [asdict(each) for each in outcomes], "passed": passed, "failed": failed, "skipped": skipped})
    else:
        results.print(f"\n{'tier':<12}{'passed':>8}{'failed':>8}{'skipped':>8}{'seconds':>9}")
        for each in outcomes:
            results.print(f"{each.tier:<12}{each.passed:>8}{each.failed:>8}{each.skipped:>8}{each.seconds:>9.0f}")
        results.print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    raise typer.Exit(1 if failed or not passed else 0)


@app.command("lint", help="Style, types and import rules.")
def check_style(*, as_json: Json = False) -> None:
    checks = lint.run()
    if as_json:
        report({"checks": [asdict(check) for check in checks]})
    raise typer.Exit(0 if all(check.passed for check in checks) else 1)


def _replace_by(module: str, arguments: list[str], instance: Instance) -> None:
    """Become the program: its output and its exit code are the command's."""
    sys.stdout.flush()
    os.chdir(ROOT)
    os.execve(sys.executable, [sys.executable, "-m", module, *arguments], environment_of(instance))  # noqa: S606


def _break(module: str, arguments: list[str]) -> None:
    """Become a program of tests/chaos. It has an instance of its own, whatever SMSGW_HOME says: it breaks what it runs on."""
    sys.stdout.flush()
    os.chdir(ROOT)
    environment = {**tiers.own_environment(), "PYTHONPATH": str(ROOT / "tests")}
    os.execve(sys.executable, [sys.executable, "-m", module, *arguments], environment)  # noqa: S606


def _known(supervisor: Supervisor, names: list[str]) -> list[str]:
    known = supervisor.processes()
    if not known:
        raise NotUp("The system is not up. Start it with: ./smsgw up")
    for name in names:
        if name not in known:
            raise StackError(f"There is no process {name!r}. Processes: {', '.join(known)}.")
    return names


def main() -> int:
    """Run one command; whatever is wrong is one clear sentence, and the exit code tells."""
    arguments = sys.argv[1:] or ["help"]
    if arguments[0] in {"-h", "--help"}:
        arguments = ["help"]
    try:
        code = app(arguments, prog_name="./smsgw", standalone_mode=False)
    except StackError as error:
        return _refuse(str(error), 1)
    except (KeyboardInterrupt, typer.Abort):
        return _refuse("stopped.", 130)
    except typer.Exit as leave:
        return leave.exit_code
    except Exception as error:  # the entry point: typer's own errors have no public base class
        if not hasattr(error, "format_message"):
            raise
        return _refuse(f"{error.format_message()} Try: ./smsgw help", 2)
    return code if isinstance(code, int) else 0


def _refuse(text: str, code: int) -> int:
    if "--json" in sys.argv and sys.argv[1] != "manage":
        report({"error": text})
    errors.print(f"smsgw: {text}", markup=False)
    return code
