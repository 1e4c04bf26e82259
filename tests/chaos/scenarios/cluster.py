"""Three brokers that are one: the node that leads is killed, hangs, is cut off; and there are too few to decide."""

import signal

from chaos.cluster import Cluster, Node
from chaos.scenario import suite
from chaos.stage import Stage
from chaos.waiting import NotSoError

#: Seconds until the others have found a new leader, until a node that comes back is a member again, and until one has had its chance.
_ELECTED, _WHOLE, _BY_ITSELF = 60, 150, 45


def _cluster(stage: Stage) -> Cluster:
    cluster = stage.system.cluster
    if cluster is None or cluster.size() != len(cluster.nodes):
        raise NotSoError("the queue has not a member on each of three nodes")
    return cluster


def _leader(stage: Stage, cluster: Cluster) -> Node:
    """Who leads, when the gateway publishes to that very node."""
    leader = cluster.leader()
    stage.wire("gateway", "rabbitmq").lead_to(leader.service.port)
    stage.accepted(5)
    return leader


def _whole(stage: Stage, cluster: Cluster) -> None:
    stage.until(cluster.whole, "three nodes together", seconds=_WHOLE)


def _whole_again(stage: Stage, cluster: Cluster, parted: Node) -> None:
    """
    As `_whole`; a node that stays parted is restarted, as its operator would.

    `pause_minority` looks at who is away. A node that was frozen finds the others as soon as it looks, and is not paused, while Mnesia has
    parted already and stays so: https://www.rabbitmq.com/docs/partitions ("suspend and resume"), which leaves that to be restarted.
    """
    try:
        stage.until(cluster.whole, "three nodes together by themselves", seconds=_BY_ITSELF)
    except NotSoError:
        stage.say(f"node {parted.name} stays parted: its operator restarts it")
        parted.signal(signal.SIGKILL)
        parted.start()
        _whole(stage, cluster)


@suite.scenario("F25", clustered=True)
def cluster_leader_killed(stage: Stage) -> None:
    """The node that leads the queue is killed, again and again: another one leads, and nothing that was confirmed is gone."""
    cluster = _cluster(stage)
    for _ in stage.moments(2):
        leader = _leader(stage, cluster)
        stage.say(f"kill -9 node {leader.name}, which leads")
        leader.signal(signal.SIGKILL)
        stage.accepted(20, seconds=_ELECTED)
        leader.start()
        _whole(stage, cluster)


@suite.scenario("F25", clustered=True)
def cluster_leader_frozen(stage: Stage) -> None:
    """The node that leads hangs with its connections open: another one leads, and the old one, woken up, confirms nothing of its own."""
    cluster = _cluster(stage)
    for _ in stage.moments(1):
        leader = _leader(stage, cluster)
        stage.say(f"SIGSTOP node {leader.name}, which leads")
        leader.signal(signal.SIGSTOP)
        try:
            stage.accepted(20, seconds=_ELECTED)
        finally:
            leader.signal(signal.SIGCONT)
        _whole_again(stage, cluster, leader)


@suite.scenario("F25", clustered=True)
def cluster_leader_cut_off(stage: Stage) -> None:
    """A partition: the node that leads sees no other. It pauses, the majority goes on, and both are one afterwards."""
    cluster = _cluster(stage)
    for _ in stage.moments(1):
        leader = _leader(stage, cluster)
        stage.say(f"node {leader.name}, which leads, is cut off")
        with cluster.cut_off(leader):
            stage.accepted(20, seconds=_ELECTED)
            stage.last(3, 6)
        stage.say("the network is whole")
        _whole_again(stage, cluster, leader)


@suite.scenario("F25", clustered=True)
def cluster_without_a_majority(stage: Stage) -> None:
    """Two of three nodes are killed: what is left decides nothing, so 503 and never 202, until there is a majority again."""
    cluster = _cluster(stage)
    for _ in stage.moments(1):
        gone = list(cluster.nodes.values())[1:]
        stage.say("kill -9 two of three nodes")
        for node in gone:
            node.signal(signal.SIGKILL)
        stage.answered(503, seconds=_ELECTED)
        stage.last(4, 8)
        for node in gone:
            node.start()
        _whole(stage, cluster)
