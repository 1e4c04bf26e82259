"""The next version, as far as the others notice: it says more than this one knows."""

from chaos.patches import Change, Patch

NEXT = Patch(
    name="next-version",
    changes=(
        Change(
            file="packages/contract/src/sms_contract/envelope.py",
            old="    traceparent: str | None = None\n\n\nclass Envelope",
            new="    traceparent: str | None = None\n    campaign: str | None = None\n\n\nclass Envelope",
        ),
        Change(
            file="services/gateway/src/sms_gateway/submission.py",
            old="        traceparent=draft.traceparent,\n    )\n",
            new='        traceparent=draft.traceparent,\n        campaign="spring",\n    )\n',
        ),
    ),
)
