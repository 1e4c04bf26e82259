"""What workers promise: one claim, one attempt, and no outcome made up."""

from chaos.mutations.mutation import mutation

_BACKEND = "services/backend/src/sms_backend"

MUTATIONS = (
    mutation(
        "posted-before-the-claim-is-committed",
        "A worker posts, and commits its claim afterwards.",
        ("worker-claiming",),
        (
            f"{_BACKEND}/pipeline/dispatch.py",
            """        claim.postpone(cursor, plan.waits)
    if plan.starts:
        _send(plan, references, providers, now, claimed_at=claimed_at)
""",
            """        claim.postpone(cursor, plan.waits)
        if plan.starts:
            _send(plan, references, providers, now, claimed_at=claimed_at)
""",
        ),
    ),
    mutation(
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
    mutation(
        "hints-are-orders",
        "A hint is for what has just come, and nobody looks for what is due.",
        ("intake-hinting", "answers-lost-worker-rabbitmq"),
        (
            f"{_BACKEND}/messages/claim.py",
            """      AND m.next_attempt_at <= now() AND m.expires_at > now() AND m.id >= %(floor)s
""",
            """      AND m.next_attempt_at <= now() AND m.next_attempt_at > now() - interval '2 seconds' AND m.expires_at > now() AND m.id >= %(floor)s
""",
        ),
        (
            f"{_BACKEND}/pipeline/upkeep.py",
            """    hints.hint_dispatch(lanes)
""",
            """    del lanes
""",
        ),
    ),
    mutation(
        "hints-outstanding-for-ever",
        "A hint that was lost is waited for, and no other follows it.",
        ("hints-purged",),
        (
            f"{_BACKEND}/pipeline/hints.py",
            "nx=True, px=_OUTSTANDING_MS",
            "nx=True",
        ),
    ),
    mutation(
        "hints-expire-by-the-workers-clock",
        "Hints carry Celery's `expires`, which the worker compares with its own clock.",
        ("clock-worker+2h",),
        (
            f"{_BACKEND}/pipeline/hints.py",
            "queue=queue, expiration=10,",
            "queue=queue, expires=10,",
        ),
    ),
    mutation(
        "due-by-the-workers-clock",
        "A worker claims what is due by its own clock.",
        ("clock-worker-10m",),
        (
            f"{_BACKEND}/messages/claim.py",
            "    return cursor.execute(_DUE, parameters)",
            '    return cursor.execute(_DUE.replace("next_attempt_at <= now()", f"next_attempt_at <= to_timestamp({now_ms / 1000})"), parameters)',
        ),
    ),
    mutation(
        "leases-never-checked",
        "Nobody looks into a worker that fell silent.",
        ("worker-claimed", "all-killed", "worker-posting", "answers-lost-worker-postgresql"),
        (f"{_BACKEND}/messages/sweep.py", "WHERE status = 'sending' AND lease_until < now() ORDER", "WHERE false ORDER"),
    ),
    mutation(
        "leases-back-to-the-queue",
        "What a silent worker had goes out again at once.",
        ("worker-posted",),
        (
            f"{_BACKEND}/messages/sweep.py",
            "WHEN NOT taken THEN 'queued' ELSE m.status END",
            "ELSE 'queued' END",
        ),
    ),
    mutation(
        "posted-after-the-lease",
        "A worker that wakes up too late posts all the same.",
        ("worker-frozen-before-its-post",),
        (
            f"{_BACKEND}/pipeline/dispatch.py",
            "lease_ends = claimed_at + environment.smsgw_lease - TOTAL",
            "lease_ends = claimed_at + 86400",
        ),
    ),
    mutation(
        "settled-unconditionally",
        "What comes late overwrites what has moved on.",
        ("reports-early-doubled-and-contradicted", "workers-frozen"),
        (f"{_BACKEND}/messages/settle.py", " AND m.attempts = x.number AND m.status = 'sending'\n", "\n"),
    ),
    mutation(
        "unknown-goes-elsewhere",
        "A send without a clear answer goes to the next provider.",
        (
            "provider-takes-it-and-does-not-say-so",
            "provider-never-tells",
            "answers-lost-worker-provider",
            "asked-vendor-takes-it-and-does-not-say-so",
        ),
        (f"{_BACKEND}/pipeline/retry.py", "    if result.is_unknown:\n", "    if result is None:\n"),
    ),
    mutation(
        "one-round-is-all",
        "A message that nobody takes in one round has failed.",
        ("provider-gone", "provider-refuses-and-breaks"),
        (
            f"{_BACKEND}/pipeline/retry.py",
            """    wait = max(backoff(message.round, rng), patience)
""",
            """    return _ended(message, number, error, unsuitable=unsuitable)
    wait = max(backoff(message.round, rng), patience)
""",
        ),
    ),
    mutation(
        "refunded-twice",
        "What fails is given back twice.",
        ("provider-refuses-for-good",),
        (
            f"{_BACKEND}/messages/settle.py",
            "    refund(cursor, rows)\n",
            "    refund(cursor, rows)\n    refund(cursor, rows)\n",
        ),
    ),
    mutation(
        "ends-in-the-middle",
        "A worker that is asked to end does not end what it is at.",
        ("rolling-restart",),
        (
            f"{_BACKEND}/config/celery.py",
            """app.steps["consumer"].add(Alive)
""",
            """app.steps["consumer"].add(Alive)

from celery.signals import worker_shutting_down


@worker_shutting_down.connect
def _at_once(**_: object) -> None:
    os._exit(0)
""",
        ),
    ),
    mutation(
        "canceled-while-it-is-sent",
        "A message that is being sent is taken back, as if nobody could have it.",
        ("cancels-that-overtake",),
        (
            f"{_BACKEND}/messages/cancel.py",
            """m.id BETWEEN %s AND %s AND m.status IN ('queued', 'scheduled')
""",
            """m.id BETWEEN %s AND %s AND m.status IN ('queued', 'scheduled', 'sending')
""",
        ),
        (f"{_BACKEND}/messages/cancel.py", '{_DOUBTFUL.format(id="r.id")}', "false AS doubtful"),
    ),
    mutation(
        "valid-by-the-workers-clock",
        "A worker goes by its own clock when it looks whether a message is still valid.",
        ("clock-worker-otp+2h",),
        (
            f"{_BACKEND}/pipeline/dispatch.py",
            "Clock(wall=starts[0].message.claimed_at.timestamp(), monotonic=claimed_at)",
            "Clock(wall=time.time(), monotonic=claimed_at)",
        ),
    ),
)
