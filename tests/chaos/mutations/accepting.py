"""What the gateway promises: reserved once, confirmed before 202, whole again by itself."""

from chaos.mutations.mutation import mutation

_GATEWAY = "services/gateway/src/sms_gateway"

MUTATIONS = (
    mutation(
        "confirm-not-awaited",
        "The gateway says 202 when it has published, and does not wait for the confirm.",
        (
            "publishes-lost",
            "full-queue",
            "memory-alarm",
            "disk-alarm",
            "cluster-leader-killed",
            "cluster-leader-cut-off",
        ),
        (
            f"{_GATEWAY}/broker.py",
            """                fate = await _publish(tap, queue, body, kind=kind)
""",
            """                _publish(tap, queue, body, kind=kind).add_done_callback(lambda done: done.cancelled() or done.exception())
                fate = Fate.QUEUED
""",
        ),
    ),
    mutation(
        "returned-counts-as-queued",
        "What the broker returns or refuses counts as queued.",
        ("missing-binding", "full-queue"),
        (
            f"{_GATEWAY}/broker.py",
            "return Confirmation.CONFIRMED if fate is Fate.QUEUED else Confirmation.NOT_QUEUED",
            "return Confirmation.CONFIRMED",
        ),
    ),
    mutation(
        "pending-never-taken-over",
        "A repeat waits for ever for a first try that died.",
        ("gateway-reserved", "gateway-publishing", "gateway-killed"),
        (f"{_GATEWAY}/admission/admission.lua", "if tonumber(deadline) > now_ms then", "if tonumber(deadline) > 0 then"),
    ),
    mutation(
        "broker-connected-once",
        "The gateway connects to the broker once, and never again.",
        (
            "broker-killed",
            "broker-restarted-again-and-again",
            "broker-frozen",
            "connections-closed",
            "wires-reset",
            "file-descriptors-exhausted",
            "cluster-leader-frozen",
            "cluster-without-a-majority",
        ),
        (
            f"{_GATEWAY}/broker.py",
            """                await self._lost.wait()
                await connection.tap.quiet(self.LAST_WORDS)
            finally:""",
            """                await asyncio.Event().wait()
            finally:""",
        ),
    ),
    mutation(
        "closed-connection-kept",
        "The gateway goes on asking on a connection to Redis that is closed.",
        ("redis-connections-killed",),
        (f"{_GATEWAY}/cache.py", "if wire is None or wire.closed:", "if wire is None:"),
    ),
    mutation(
        "redis-given-up",
        "The gateway looks at Redis until it fails once.",
        ("redis-killed", "redis-paused", "redis-frozen"),
        (
            f"{_GATEWAY}/cache.py",
            """            await self.probe()
            self._doubted.clear()
""",
            """            await self.probe()
            if self.reason.startswith("unreachable"):
                return await asyncio.Event().wait()
            self._doubted.clear()
""",
        ),
    ),
    mutation(
        "marker-not-compared",
        "A Redis with a marker is believed, whichever Redis it was written for.",
        ("redis-restored-from-an-older-file",),
        (f"{_GATEWAY}/cache.py", "return isinstance(field, bytes) and field.decode() == self._run_id", "return isinstance(field, bytes)"),
        (f"{_GATEWAY}/cache.py", "        if not run_id or run_id != marker:\n", "        if not run_id or not marker:\n"),
    ),
    mutation(
        "refused-counts-as-reserved",
        "What Redis refuses to write counts as reserved.",
        ("redis-out-of-memory", "redis-read-only"),
        (
            f"{_GATEWAY}/admission/reserve.py",
            """            if isinstance(answer, RedisError):
                continue
""",
            """            if isinstance(answer, RedisError):
                verdicts = [Verdict("n", 0) for _ in claims]
                continue
""",
        ),
    ),
    mutation(
        "own-clock",
        "The gateway goes by its own clock, and not by that of Redis.",
        ("clock-gateway+2h",),
        (
            f"{_GATEWAY}/clock.py",
            "        self._anchor = redis_ms - (before + after) * 500",
            "        del redis_ms, before, after",
        ),
    ),
    mutation(
        "hung-up-and-kept",
        "A connection whose client has closed it is kept until the request comes in whole.",
        ("clients-hang-up",),
        (
            f"{_GATEWAY}/patience.py",
            """    @property
    def begun(self) -> bool:""",
            """    def eof_received(self) -> bool:
        return True

    @property
    def begun(self) -> bool:""",
        ),
    ),
    mutation(
        "impatient",
        "A request that is not through within a twentieth of a second is given up.",
        ("processors-taken",),
        (
            f"{_GATEWAY}/submission.py",
            """DEADLINE = 3.0
""",
            """DEADLINE = 0.05
""",
        ),
    ),
    mutation(
        "lost-reservations-kept",
        "A reservation whose answer was lost is neither undone nor taken over.",
        ("answers-lost-gateway-redis",),
        (
            f"{_GATEWAY}/submission.py",
            '            self._settler.settle_later([Reservation(claim, claim.id, claim.day)], "release")\n',
            "            assert claim\n",
        ),
        (f"{_GATEWAY}/admission/admission.lua", "if tonumber(deadline) > now_ms then", "if tonumber(deadline) > 0 then"),
    ),
    mutation(
        "one-day-for-ever",
        "The day that a gateway has begun with goes on for as long as it runs.",
        ("midnight-passes",),
        (f"{_GATEWAY}/clock.py", "if day is None or not day.starts_ms <= now_ms < day.ends_ms:", "if day is None:"),
    ),
)
