"""
Three RabbitMQ nodes on this machine, as a cluster with quorum queues of three members: killed, hung, and cut off from each other.

A node is cut off by a cookie: whichever of two nodes connects to the other, the handshake fails, as over a network that is split. No packet
filter is needed. The minority pauses (`pause_minority`), as https://www.rabbitmq.com/docs/partitions advises.
"""

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from chaos.waiting import NotSoError, until
from sms_contract import topology
from sms_stack import credentials, ports
from sms_stack.home import Home
from sms_stack.services import rabbitmq
from sms_stack.services.rabbitmq import PrivateRabbitmq

NAMES = ("a", "b", "c")
_RABBITMQCTL = ("/usr/lib/rabbitmq/bin/rabbitmqctl", "/opt/rabbitmq/sbin/rabbitmqctl")
#: Seconds until silence counts as absence; a minute by default, which a test need not wait.
_TICK = 8


def _known_as(name: str) -> str:
    return f"smsgw-{name}@localhost"


@dataclass
class Node:
    """One of the three."""

    name: str
    service: PrivateRabbitmq
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def environment(self) -> dict[str, str]:
        own = self.service.environment()
        arguments = f"{own['RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS']} -kernel net_ticktime {_TICK}"
        return {
            "PATH": os.environ["PATH"],
            **own,
            "RABBITMQ_NODENAME": _known_as(self.name),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": arguments,
        }

    def start(self) -> None:
        server = rabbitmq.binary() or ""
        log = (self.service.home.logs / "rabbitmq.log").open("ab")
        # It ends with whoever started it, however that ends.
        command = ["setpriv", "--pdeathsig=KILL", "--", server]
        with log:
            self.process = subprocess.Popen(
                command, env=self.environment, cwd=self.service.folder, stdout=log, stderr=log, start_new_session=True
            )

    def signal(self, number: signal.Signals) -> None:
        """Raises `NotSoError` where it does not run."""
        if self.process is None or self.process.poll() is not None:
            raise NotSoError(f"node {self.name} does not run")
        os.killpg(self.process.pid, number)
        if number is signal.SIGKILL:
            self.process.wait()

    def control(self, *words: str) -> str:
        """Raises `NotSoError`."""
        program = next(path for path in _RABBITMQCTL if os.access(path, os.X_OK))
        environment = {**self.environment, "RABBITMQ_CTL_ERL_ARGS": "+S 1:1 +sbwt none"}
        del environment["RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS"]
        command = [program, "-q", "-n", _known_as(self.name), *words]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=90, check=False)
        if done.returncode != 0:
            raise NotSoError(f"rabbitmqctl {words[0]} at {self.name}: {(done.stderr or done.stdout).strip()[-400:]}")
        return done.stdout

    @property
    def listens(self) -> bool:
        return rabbitmq.trouble(self.service.url) is None


@dataclass
class Cluster:
    """All of them."""

    nodes: Mapping[str, Node]

    @property
    def url(self) -> str:
        return self.nodes["a"].service.url

    @property
    def ports(self) -> list[int]:
        return [node.service.port for node in self.nodes.values()]

    def leader(self, queue: str = topology.SUBMISSIONS) -> Node:
        """Who leads a queue. Raises `NotSoError`."""
        leader = self._members(queue)[0]
        return next(node for node in self.nodes.values() if _known_as(node.name) == leader)

    def size(self, queue: str = topology.SUBMISSIONS) -> int:
        """How many members a queue has."""
        return len(self._members(queue)) - 1

    def _members(self, queue: str) -> list[str]:
        """The leader, and then all members."""
        for node in self.nodes.values():
            try:
                rows = node.control("list_queues", "-p", rabbitmq.MAIN_VHOST, "name", "leader", "members").splitlines()
            except (NotSoError, subprocess.TimeoutExpired):
                continue
            for row in rows:
                name, _, others = row.partition("\t")
                if name == queue:
                    return _words(others)
        raise NotSoError(f"no node knows who leads {queue}")

    @contextmanager
    def cut_off(self, node: Node) -> Iterator[None]:
        """No distribution between a node and the others until the block ends."""
        others = [each for each in self.nodes.values() if each is not node]
        # The others learn of it in one moment. Where one sees the node gone while the other one still reaches it, they find a "partial
        # partition", and all three pause until the network is whole: https://github.com/rabbitmq/rabbitmq-server/issues/1161
        with ExitStack() as frozen:
            for each in others:
                each.signal(signal.SIGSTOP)
                frozen.callback(each.signal, signal.SIGCONT)
            node.control("eval", _cut(others, "smsgw_cut_off"))
        try:
            yield
        finally:
            node.control("eval", _cut(others, node.service.credentials.erlang_cookie))

    def whole(self) -> bool:
        """Whether every node listens, and sees the others."""
        try:
            return all(node.listens and len(_seen(node)) == len(NAMES) for node in self.nodes.values())
        except (NotSoError, subprocess.TimeoutExpired):
            return False


def _cut(nodes: Sequence[Node], cookie: str) -> str:
    others = ", ".join(f"'{_known_as(node.name)}'" for node in nodes)
    return f"[erlang:set_cookie(N, '{cookie}') || N <- [{others}]], [erlang:disconnect_node(N) || N <- [{others}]]."


def _seen(node: Node) -> list[str]:
    return _words(node.control("eval", "rabbit_nodes:all_running()."))


def _words(text: str) -> list[str]:
    """The names in an Erlang list, or in columns."""
    return re.findall(r"[\w.@-]+", text)


@contextmanager
def three_nodes(home: Home) -> Iterator[Cluster]:
    """From nothing, until the block ends."""
    shutil.rmtree(home.path, ignore_errors=True)
    home.make()
    secrets = credentials.load(home)
    nodes = {}
    mapper = 0
    for name in NAMES:
        own = Home(path=home.path / f"node-{name}")
        own.make()
        chosen, _ = ports.choose(own, running=())
        mapper = mapper or chosen["epmd"]
        service = PrivateRabbitmq(
            home=own,
            credentials=secrets,
            port=chosen["rabbitmq"],
            distribution_port=chosen["rabbitmq-distribution"],
            epmd_port=mapper,
        )
        service.prepare()
        settings = [
            "cluster_formation.peer_discovery_backend = rabbit_peer_discovery_classic_config",
            "cluster_formation.randomized_startup_delay_range.min = 0",
            "cluster_formation.randomized_startup_delay_range.max = 1",
            "cluster_partition_handling = pause_minority",
            *(f"cluster_formation.classic_config.nodes.{number} = {_known_as(each)}" for number, each in enumerate(NAMES, 1)),
        ]
        with (own.run / "rabbitmq.conf").open("a") as configuration:
            configuration.write("\n".join([*settings, ""]))
        nodes[name] = Node(name=name, service=service)
    cluster = Cluster(nodes)
    with ExitStack() as stack:
        command = ["setpriv", "--pdeathsig=KILL", "--", rabbitmq.epmd() or "epmd", "-port", str(mapper), "-address", "127.0.0.1"]
        epmd = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        stack.callback(epmd.wait)
        stack.callback(epmd.kill)
        for node in nodes.values():
            stack.callback(_end, node)
            node.start()
            if node.name == NAMES[0]:
                until(lambda: nodes[NAMES[0]].listens, seconds=90, what="the first node of the cluster listening")
        until(cluster.whole, seconds=120, what="a cluster of three")
        yield cluster


def _end(node: Node) -> None:
    if node.process is not None and node.process.poll() is None:
        node.signal(signal.SIGCONT)
        node.signal(signal.SIGKILL)
