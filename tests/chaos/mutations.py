"""What would break each promise, and the scenarios that must then fail. A proof that cannot fail proves nothing."""

from dataclasses import dataclass

from chaos.patches import Change, Patch

_BACKEND = "services/backend/src/sms_backend"
_GATEWAY = "services/gateway/src/sms_gateway"


@dataclass(frozen=True, kw_only=True)
class Mutation:
    """A way to be wrong."""

    patch: Patch
    wrong: str  #: in words
    scenarios: tuple[str, ...]  #: each must fail under it

    @property
    def name(self) -> str:
        return self.patch.name


def _mutation(name: str, wrong: str, scenarios: tuple[str, ...], *changes: tuple[str, str, str]) -> Mutation:
    made = tuple(Change(file=file, old=old, new=new) for file, old, new in changes)
    return Mutation(patch=Patch(name=name, changes=made), wrong=wrong, scenarios=scenarios)


MUTATIONS = (
    _mutation(
        "acknowledged-before-commit",
        "Intake acknowledges before PostgreSQL has committed.",
        ("intake-inserting", "intake-committing"),
        (
            f"{_BACKEND}/pipeline/consumer.py",
            """                taken = await self._commit([_delivery(held) for held in self._flight])
                await self._acknowledge()
                self._hint(taken)
""",
            """                deliveries = [_delivery(held) for held in self._flight]
                await self._acknowledge()
                self._hint(await self._commit(deliveries))
""",
        ),
    ),
    _mutation(
        "confirm-not-awaited",
        "The gateway says 202 when it has published, and does not wait for the confirm.",
        ("publishes-lost", "full-queue"),
        (
            f"{_GATEWAY}/broker.py",
            """                await _publish(channel, queue, body, kind=kind, headers=headers)
        except DeliveryError:""",
            """                asyncio.ensure_future(_publish(channel, queue, body, kind=kind, headers=headers)).add_done_callback(
                    lambda done: done.cancelled() or done.exception()
                )
        except DeliveryError:""",
        ),
    ),
    _mutation(
        "returned-counts-as-queued",
        "What the broker returns or refuses counts as queued.",
        ("missing-binding", "full-queue"),
        (
            f"{_GATEWAY}/broker.py",
            """            self._timeouts = 0
            return Confirmation.NOT_QUEUED
        except TimeoutError:""",
            """            self._timeouts = 0
            return Confirmation.CONFIRMED
        except TimeoutError:""",
        ),
    ),
    _mutation(
        "pending-never-taken-over",
        "A repeat waits for ever for a first try that died.",
        ("gateway-reserved", "gateway-publishing"),
        (f"{_GATEWAY}/admission/admission.lua", "if tonumber(deadline) > now_ms then", "if tonumber(deadline) > 0 then"),
    ),
    _mutation(
        "keys-forgotten",
        "PostgreSQL has no last word on idempotency: what Redis has lost is new.",
        ("redis-flushed", "redis-restored-from-an-older-file"),
        (f"{_BACKEND}/messages/keys.py", "            aliases.append((s, holder))", "            fresh.append(s)"),
    ),
    _mutation(
        "marker-not-compared",
        "A Redis with a marker is believed, whichever Redis it was written for.",
        ("redis-restored-from-an-older-file",),
        (f"{_GATEWAY}/cache.py", "return isinstance(field, bytes) and field.decode() == self._run_id", "return isinstance(field, bytes)"),
        (f"{_GATEWAY}/cache.py", "        if not run_id or run_id != marker:\n", "        if not run_id or not marker:\n"),
    ),
    _mutation(
        "redelivery-charged",
        "A redelivery is charged again.",
        ("intake-committed", "intake-acknowledging"),
        (
            f"{_BACKEND}/messages/store.py",
            "    charge(cursor, [(row.client_id, row.charged_day, row.charged_segments) for row in inserted if row.status not in _ENDED])",
            "    charge(cursor, [(s.client, s.charged_day, s.segments if s.charged_day else 0) for s in fresh])",
        ),
    ),
    _mutation(
        "refunded-twice",
        "What fails is given back twice.",
        ("provider-refuses-for-good",),
        (
            f"{_BACKEND}/messages/settle.py",
            "    refund(cursor, rows)\n",
            "    refund(cursor, rows)\n    refund(cursor, rows)\n",
        ),
    ),
    _mutation(
        "data-errors-everywhere",
        "Any integrity error counts as the fault of a row, which is parked.",
        ("partition-missing",),
        (
            f"{_BACKEND}/pipeline/intake.py",
            "return isinstance(error, psycopg.DataError) or bool(error.diag.constraint_name or error.diag.column_name)",
            "return True",
        ),
    ),
    _mutation(
        "claimed-without-lock",
        "Two workers may claim the same message.",
        ("ten-copies-of-every-hint",),
        (f"{_BACKEND}/messages/claim.py", "    FOR UPDATE SKIP LOCKED\n", ""),
        (
            f"{_BACKEND}/messages/claim.py",
            "AS x (message_id, number, provider, reference, decision)\n",
            "AS x (message_id, number, provider, reference, decision)\nON CONFLICT DO NOTHING\n",
        ),
    ),
    _mutation(
        "leases-never-checked",
        "Nobody looks into a worker that fell silent.",
        ("worker-claimed", "worker-killed", "all-killed"),
        (f"{_BACKEND}/messages/sweep.py", "WHERE status = 'sending' AND lease_until < now() ORDER", "WHERE false ORDER"),
    ),
    _mutation(
        "leases-back-to-the-queue",
        "What a silent worker had goes out again at once.",
        ("worker-posted",),
        (
            f"{_BACKEND}/messages/sweep.py",
            "updated_at = now(), lease_until = NULL,\n    unknown_until = now() +",
            "updated_at = now(), lease_until = NULL, status = 'queued', next_attempt_at = now(),\n    unknown_until = now() +",
        ),
    ),
    _mutation(
        "posted-after-the-lease",
        "A worker that wakes up too late posts all the same.",
        ("worker-frozen-before-its-post",),
        (
            f"{_BACKEND}/pipeline/dispatch.py",
            "lease_ends = claimed_at + environment.smsgw_lease - TOTAL",
            "lease_ends = claimed_at + 86400",
        ),
    ),
    _mutation(
        "settled-unconditionally",
        "What comes late overwrites what has moved on.",
        ("reports-early-doubled-and-contradicted",),
        (f"{_BACKEND}/messages/settle.py", " AND m.attempts = x.number AND m.status = 'sending'\n", "\n"),
    ),
    _mutation(
        "unknown-goes-elsewhere",
        "A send without a clear answer goes to the next provider.",
        ("provider-takes-it-and-does-not-say-so", "provider-never-tells"),
        (f"{_BACKEND}/pipeline/retry.py", "    if result.is_unknown:\n", "    if result is None:\n"),
    ),
    _mutation(
        "signatures-not-checked",
        "Whoever posts a report is believed.",
        ("reports-forged",),
        (
            f"{_BACKEND}/pipeline/judge.py",
            "    if verification is not Verification.SIGNED and not (verification is Verification.UNSIGNED and proven):\n",
            "    if not proven:\n",
        ),
    ),
    _mutation(
        "reports-go-back",
        "The last report stands, whatever came before.",
        ("reports-early-doubled-and-contradicted", "reports-out-of-order"),
        (
            f"{_BACKEND}/messages/outcome.py",
            "    return _RANK[new] > _RANK[None if known is None else Status(known)]",
            "    return new != known",
        ),
        (
            f"{_BACKEND}/messages/outcome.py",
            "    if status.is_final and status is not Status.UNKNOWN:\n        return None\n",
            "",
        ),
    ),
    _mutation(
        "promise-kept-too-early",
        "The promise to show a change is taken back before Redis has it.",
        ("worker-projecting",),
        (
            f"{_BACKEND}/pipeline/persist.py",
            """            projection.project(cursor, rows)
            projection.kept(cursor, [promise])
""",
            """            projection.kept(cursor, [promise])
        with hot_cursor() as cursor:
            projection.project(cursor, rows)
""",
        ),
    ),
)
BY_NAME = {mutation.name: mutation for mutation in MUTATIONS}
