"""What becomes of reports, and what clients are shown."""

from chaos.mutations.mutation import mutation

_BACKEND = "services/backend/src/sms_backend"

MUTATIONS = (
    mutation(
        "signatures-not-checked",
        "Whoever posts a report is believed.",
        ("reports-forged",),
        (
            f"{_BACKEND}/pipeline/judge.py",
            "    if verification is not Verification.SIGNED and not (verification is Verification.UNSIGNED and proven):\n",
            "    if not proven:\n",
        ),
    ),
    mutation(
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
    mutation(
        "reports-on-open-attempts-ignored",
        "A report that comes before the answer is committed is forgotten.",
        ("worker-settling", "worker-killed"),
        (
            f"{_BACKEND}/messages/advance.py",
            "if a.number == report.number and a.provider == report.provider), None)",
            "if a.number == report.number and a.provider == report.provider and a.outcome != STARTED), None)",
        ),
    ),
    mutation(
        "judged-before-applied",
        "Callbacks count as judged before what they say has been applied.",
        ("answers-lost-worker-upkeep-postgresql",),
        (
            f"{_BACKEND}/pipeline/reports.py",
            """    verdicts: list[str] = []
""",
            """    cursor.execute(_JUDGED, ([row.id for row in raw], ["read"] * len(raw), raw[0].id, raw[-1].id))
    cursor.connection.commit()
    verdicts: list[str] = []
""",
        ),
    ),
    mutation(
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
    mutation(
        "nothing-promised",
        "A change is shown, and there is no promise to show it.",
        ("worker-settled", "answers-lost-worker-redis", "answers-lost-worker-upkeep-redis", "background-killed"),
        (
            f"{_BACKEND}/pipeline/persist.py",
            """        promise = project_later(cursor, [row.id for row in rows], after=_GRACE) if rows else None
""",
            """        promise = 0 if rows else None
""",
        ),
    ),
    mutation(
        "counters-not-restored",
        "Redis is filled again without the counters of the quota.",
        ("redis-restarted-empty",),
        (
            f"{_BACKEND}/pipeline/readmodel.py",
            """    counters.restore(now)
""",
            """    assert counters
""",
        ),
    ),
    mutation(
        "asked-once",
        "A provider that has been asked and was not heard is not asked again.",
        ("asked-vendors-answers-are-lost",),
        (
            f"{_BACKEND}/messages/inquiries.py",
            "    forget(cursor, over)\n",
            "    forget(cursor, [(row.message_id, row.number) for row in taken])\n",
        ),
    ),
    mutation(
        "never-given-back",
        "Nobody looks for reservations that nobody finishes.",
        ("overcharge-is-given-back",),
        (f"{_BACKEND}/pipeline/reservations.py", "    if not intake_drained(cutoff):\n", "    if intake_drained(cutoff) is not None:\n"),
    ),
)
