"""Up, down and what is needed in between; every step says what it does and, when it does not succeed, what the log said."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Collection, Mapping

from sms_stack import credentials, packages, ports
from sms_stack.calls import call
from sms_stack.errors import MissingProgram, NotReady, StackError
from sms_stack.home import ROOT, Home
from sms_stack.instance import EXTERNAL, SIMULATOR, Instance
from sms_stack.progress import say, step
from sms_stack.services import postgresql, rabbitmq, redis
from sms_stack.supervision import Supervisor, end_leftovers, inherited, wait_until

TROUBLE: dict[str, Callable[[str], str | None]] = {
    postgresql.NAME: postgresql.trouble,
    rabbitmq.NAME: rabbitmq.trouble,
    redis.NAME: redis.trouble,
}
BINARIES: dict[str, tuple[str, Callable[[], object]]] = {
    postgresql.NAME: (postgresql.PACKAGE, postgresql.binary),
    rabbitmq.NAME: (rabbitmq.PACKAGE, rabbitmq.binary),
    redis.NAME: (redis.PACKAGE, redis.binary),
}
SERVICE_SECONDS = 90  #: RabbitMQ's first start on two busy cores takes some twenty
READY_SECONDS = 90


def up(home: Home, *, services_only: bool = False, simulator: bool = False, given: Mapping[str, str] = os.environ) -> Instance:
    """Everything runs and is ready when this returns. Doing it again changes nothing. `given` is the operator's environment."""
    with home.lock():
        supervisor = Supervisor(home)
        if not supervisor.alive():
            end_leftovers(home)  # before ports are asked for: a dying process still holds its own
        running = supervisor.running()
        install_missing(home, given)
        chosen, moved = ports.choose(home, running=_owners(running))
        for sentence in moved:
            say(sentence)
        instance = Instance(home, credentials.load(home), chosen, given)
        _start_services(instance, supervisor, running)
        wanted = [*(() if services_only else instance.application_names), *((SIMULATOR,) if simulator else ())]
        _start_programs(instance, supervisor, wanted)
        return instance


def down(home: Home) -> bool:
    """Stop the processes, then the services under them, then supervisord. False when nothing ran."""
    with home.lock():
        supervisor = Supervisor(home)
        alive = supervisor.alive()
        if alive:
            known = supervisor.processes()
            services = [name for name in known if name in {*EXTERNAL, "epmd"}]
            with step("Stopping the processes"):
                supervisor.stop([name for name in known if name not in services])
            with step("Stopping the services"):
                supervisor.stop(services)
        supervisor.shut_down()
        return alive


def install_missing(home: Home, given: Mapping[str, str]) -> None:
    """The servers' binaries, for those services that are to be private."""
    instance = Instance(home, credentials.load(home), dict.fromkeys(ports.NAMES, 0), given)
    needed = [package for name, (package, find) in BINARIES.items() if name not in instance.external and not find()]
    if not needed:
        return
    install(needed, reason=f"Needed and not installed: {', '.join(needed)}")


def install(names: list[str], *, reason: str) -> None:
    try:
        packages.install(names, reason=reason)
    except packages.PackagesMissing as problem:
        raise MissingProgram(str(problem)) from problem


def _owners(running: Collection[str]) -> set[str]:
    return {*running, *(("rabbitmq-distribution",) if rabbitmq.NAME in running else ())}


def _start_services(instance: Instance, supervisor: Supervisor, running: Collection[str]) -> None:
    for service in instance.private:
        if not set(service.program_names) <= set(running):
            service.prepare()
    for folder in ("beat", "simulator"):
        (instance.home.data / folder).mkdir(parents=True, exist_ok=True)
    if not set(running) & set(instance.application_names):
        _forget_metrics(instance)
    supervisor.apply(instance.programs())
    supervisor.start([name for service in instance.private for name in service.program_names])
    for name, url in instance.service_urls.items():
        _wait_for_service(instance, supervisor, name, url)


def _wait_for_service(instance: Instance, supervisor: Supervisor, name: str, url: str) -> None:
    trouble = TROUBLE[name]
    if name in instance.external:
        setting = EXTERNAL[name][0]
        if not wait_until(lambda: trouble(url) is None, seconds=5, pause=0.5):
            raise NotReady(
                f"{name}, which {setting} names, does not answer: {trouble(url)}. Start it, or unset {setting} for a private one."
            )
        return
    if name == postgresql.NAME:
        url = instance.postgresql.superuser_url
    if trouble(url) is not None:
        with step(f"Starting {name}"):
            if not wait_until(lambda: trouble(url) is None, seconds=SERVICE_SECONDS):
                process = supervisor.processes().get(name)
                state = f"{process.state}, {process.said}" if process else "unknown to supervisord"
                raise NotReady(
                    f"{name} does not answer after {SERVICE_SECONDS} s ({state}). Its log ends:\n{instance.home.last_lines(name)}"
                )
    if name == postgresql.NAME:
        postgresql.make_database(instance.postgresql)


def _forget_metrics(instance: Instance) -> None:
    for server in ("gateway", "backend"):
        shutil.rmtree(instance.metrics(server), ignore_errors=True)
        instance.metrics(server).mkdir(parents=True)


def _start_programs(instance: Instance, supervisor: Supervisor, wanted: Collection[str]) -> None:
    missing = [name for name in wanted if name not in supervisor.running()]
    if set(missing) & set(instance.application_names):
        with step("Preparing the database, the queues and the read model"):
            manage(instance, "prepare")
    if missing:
        supervisor.start(missing)
    if not wanted:
        return
    if wait_until(lambda: not unready(instance, supervisor, wanted), seconds=0.2):
        return
    with step("Waiting until everything is ready"):
        if wait_until(lambda: not unready(instance, supervisor, wanted), seconds=READY_SECONDS, pause=0.25):
            return
    lines = [f"Not everything is ready after {READY_SECONDS} s:"]
    for name, reason in unready(instance, supervisor, wanted).items():
        lines += [f"* {name}: {reason}. Its log ({instance.home.log(name)}) ends:", instance.home.last_lines(name)]
    raise NotReady("\n".join(lines))


def unready(instance: Instance, supervisor: Supervisor, wanted: Collection[str]) -> dict[str, str]:
    """What is not ready, and why."""
    processes = supervisor.processes()
    found = {}
    for name in wanted:
        process = processes.get(name)
        if process is None or process.state != "running":
            found[name] = f"{process.state} ({process.said})" if process else "not known to supervisord"
    probes = {
        "gateway": f"{instance.gateway_url}/readyz",
        "web": f"{instance.web_url}/readyz",
        SIMULATOR: f"{instance.simulator_url}/healthz",
    }
    for name, url in probes.items():
        if name in wanted and name not in found:
            said = answer_of(url)
            if said is not None:
                found[name] = said
    return found


def answer_of(url: str) -> str | None:
    """Why `url` does not answer 200, or None when it does."""
    try:
        answer = call(url, timeout=3)
    except OSError as error:
        return f"{url} does not answer ({error})"
    return None if answer.status == 200 else f"{url} answers {answer.status} {answer.text[:300].strip()}"


def environment_of(instance: Instance) -> dict[str, str]:
    """For the operator's commands: the stack's settings over what the caller's environment passes on."""
    settings = {name: value for name, value in instance.settings.items() if name != "PROMETHEUS_MULTIPROC_DIR"}
    return {**inherited(os.environ.items()), **settings, "SMSGW_HOME": str(instance.home.path)}


def manage(instance: Instance, *arguments: str, feed: str | None = None) -> str:
    """Run an operator's command and return what it printed."""
    command = [sys.executable, "-m", "sms_backend", *arguments]
    environment = environment_of(instance)
    run = subprocess.run(command, cwd=ROOT, env=environment, input=feed, capture_output=True, text=True, check=False)  # noqa: S603
    if run.returncode != 0:
        said = (run.stderr or run.stdout).strip()
        raise StackError(f"`./smsgw manage {' '.join(arguments[:2])}` failed: {said[-1500:]}")
    return run.stdout
