"""What intake promises: stored before it is acknowledged, and once."""

from chaos.mutations.mutation import mutation

_BACKEND = "services/backend/src/sms_backend"

MUTATIONS = (
    mutation(
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
                taken = await self._commit(deliveries)
                self._hint(taken)
""",
        ),
    ),
    mutation(
        "consumed-without-acknowledging",
        "The broker forgets what it hands out, instead of waiting for an acknowledgement.",
        ("intake-killed", "intake-frozen", "answers-lost-intake-rabbitmq"),
        (
            f"{_BACKEND}/pipeline/consumer.py",
            ".consume(partial(self._arrived, queue.name))",
            ".consume(partial(self._arrived, queue.name), no_ack=True)",
        ),
        (
            f"{_BACKEND}/pipeline/consumer.py",
            """            await message.ack(multiple=True)
""",
            """            await asyncio.sleep(0 if message else 1)
""",
        ),
    ),
    mutation(
        "dropped-when-it-cannot-be-stored",
        "What PostgreSQL does not take at once is acknowledged all the same.",
        (
            "postgresql-stopped-immediately",
            "postgresql-backend-killed",
            "postgresql-connections-ended",
            "postgresql-frozen",
            "postgresql-read-only",
            "table-locked",
            "disk-full",
            "answers-lost-intake-postgresql",
        ),
        (
            f"{_BACKEND}/pipeline/consumer.py",
            """                if time.monotonic() - began > _GIVE_UP:
                    raise
""",
            """                return Taken()
""",
        ),
    ),
    mutation(
        "data-errors-everywhere",
        "Any integrity error counts as the fault of a row, which is parked, however many there are.",
        ("partition-missing",),
        (
            f"{_BACKEND}/pipeline/intake.py",
            "return isinstance(error, psycopg.DataError) or bool(error.diag.constraint_name or error.diag.column_name)",
            "return True",
        ),
        (f"{_BACKEND}/pipeline/intake.py", "_MANY = 20\n", "_MANY = 1_000_000\n"),
    ),
    mutation(
        "parked-nowhere",
        "What cannot be read is dropped.",
        ("poison-among-good-ones",),
        (
            f"{_BACKEND}/pipeline/intake.py",
            """        if bad:
            _park(cursor, bad)
""",
            """        if bad:
            pass
""",
        ),
    ),
    mutation(
        "unknown-fields-refused",
        "A field that this version does not know makes an envelope unreadable.",
        ("rolling-upgrade",),
        (
            "packages/contract/src/sms_contract/envelope.py",
            "class Submission(msgspec.Struct, kw_only=True, omit_defaults=True):",
            "class Submission(msgspec.Struct, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):",
        ),
    ),
    mutation(
        "keys-forgotten",
        "PostgreSQL has no last word on idempotency: what Redis has lost is new.",
        ("redis-flushed", "redis-restored-from-an-older-file"),
        (f"{_BACKEND}/messages/keys.py", "            aliases.append((s, holder))", "            fresh.append(s)"),
    ),
    mutation(
        "redelivery-charged",
        "A redelivery is charged again.",
        (
            "intake-committed",
            "intake-acknowledging",
            "gateway-published",
            "gateway-finalizing",
            "gateway-frozen",
            "answers-lost-gateway-rabbitmq",
        ),
        (
            f"{_BACKEND}/messages/store.py",
            "    charge(cursor, [(row.client_id, row.charged_day, row.charged_segments) for row in inserted if row.status not in _ENDED])",
            "    charge(cursor, [(s.client, s.charged_day, s.segments if s.charged_day else 0) for s in fresh])",
        ),
    ),
    mutation(
        "due-by-intakes-clock",
        "A message is due by the clock of the intake that stored it.",
        ("clock-intake+2h",),
        (
            f"{_BACKEND}/messages/store.py",
            "cursor.execute(_INSERT, _columns(",
            'cursor.execute(_INSERT.replace("greatest(now(),", f"greatest(to_timestamp({__import__(\'time\').time()}),"), _columns(',
        ),
    ),
    mutation(
        "texts-in-the-logs",
        "A log has what a message says.",
        ("nothing-personal-in-the-logs",),
        (
            f"{_BACKEND}/pipeline/intake.py",
            '        log.info("intake.stored", stored=taken.stored,',
            '        log.info("intake.stored", said=submissions[0].text, stored=taken.stored,',
        ),
    ),
    mutation(
        "alive-by-intakes-clock",
        "An intake writes down by its own clock when it was last alive and saw its queues empty.",
        ("clock-intake-2h", "clock-worker-upkeep+2h"),
        (
            f"{_BACKEND}/messages/drain.py",
            "    now = shared_now()\n",
            "    now = __import__('datetime').datetime.now(__import__('datetime').UTC)\n",
        ),
        (
            f"{_BACKEND}/messages/drain.py",
            "heartbeat_at__lt=shared_now()",
            "heartbeat_at__lt=__import__('datetime').datetime.now(__import__('datetime').UTC)",
        ),
    ),
)
