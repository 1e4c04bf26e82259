"""Redis: emptied, hung, full, read-only, killed, and back with an older file."""

import shutil
from functools import partial

from redis.exceptions import RedisError

from chaos.scenario import suite
from chaos.stage import Stage


@suite.scenario("F17")
def redis_flushed(stage: Stage) -> None:
    """FLUSHALL under load: 503 until Server B has put everything back, never 401 or 404, and no key makes a second message."""
    for _ in stage.moments(2):
        stage.say("FLUSHALL")
        stage.system.redis.flushall()


@suite.scenario("F17", fast=True)
def redis_restarted_empty(stage: Stage) -> None:
    """Redis is another process with nothing in it. Counters come back from PostgreSQL: nobody is undercharged."""
    for _ in stage.moments(1):
        # Its file then holds the order to forget.
        stage.system.redis.flushall()
        stage.kill("redis")
        stage.answered(503)


@suite.scenario("F17")
def redis_killed(stage: Stage) -> None:
    """Redis is killed and loses up to its last second."""
    for _ in stage.moments(2):
        stage.kill("redis")


@suite.scenario("F17")
def redis_paused(stage: Stage) -> None:
    """CLIENT PAUSE: no answers for a while, and then all of them; nothing is charged twice."""
    for _ in stage.moments(2):
        stage.say("CLIENT PAUSE")
        stage.system.redis.execute_command("CLIENT", "PAUSE", "4000", "ALL")
        stage.answered(503)


@suite.scenario("F17")
def redis_frozen(stage: Stage) -> None:
    """Redis hangs with its connections open."""
    for _ in stage.moments(1):
        with stage.frozen("redis"):
            stage.answered(503)
            stage.last(6, 10)


@suite.scenario("F17")
def redis_out_of_memory(stage: Stage) -> None:
    """Redis refuses every write (`noeviction`): 503, and what is under way still ends well."""
    limit = partial(stage.system.redis.config_set, "maxmemory")
    stage.refused_while("maxmemory 1mb", partial(limit, "1mb"), partial(limit, "0"), lasting=(3, 6))


@suite.scenario("F17")
def redis_read_only(stage: Stage) -> None:
    """Redis has become a replica of nobody: every write is refused."""
    follow = partial(stage.system.redis.execute_command, "REPLICAOF")
    stage.refused_while("REPLICAOF", partial(follow, "127.0.0.1", "1"), partial(follow, "NO", "ONE"), lasting=(3, 6))


@suite.scenario("F17")
def redis_restored_from_an_older_file(stage: Stage) -> None:
    """Redis comes back with a file from some time ago: keys, counters and statuses of since are gone, and nothing is doubled by it."""
    data = stage.system.instance.home.data / "redis"
    older = data.with_name("redis.older")
    shutil.copytree(data, older)
    try:
        for _ in stage.moments(1, least=2, most=4):
            stage.say("stop, restore, start")

            def restore() -> None:
                shutil.rmtree(data)
                shutil.copytree(older, data)

            stage.system.restart("redis", between=restore)
    finally:
        shutil.rmtree(older, ignore_errors=True)


@suite.scenario("F17")
def redis_connections_killed(stage: Stage) -> None:
    """Every connection to Redis is cut, again and again."""
    for _ in stage.moments(6, least=0.1, most=0.8):
        try:
            stage.system.redis.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        except RedisError:
            continue
