"""One trace a message, the same on both servers."""


def trace_id(traceparent: str | None, message_id: str) -> str:
    """
    The 32 hex digits that the caller's `traceparent` names (W3C Trace Context, 3.2.2.3); without one, those of the message's own id.

    A UUID has as many digits as a trace id, so that nobody has to hand on one that was made up.
    """
    return traceparent[3:35] if traceparent else message_id.replace("-", "")
