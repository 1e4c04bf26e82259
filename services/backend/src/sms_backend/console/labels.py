"""The colours of words, the same on every page; a colour never says what its word does not."""

from sms_contract.status import Status

#: Status to the colour of its label, as unfold names them.
STATUS_COLOURS = {
    Status.DELIVERED: "success",
    Status.SENT: "info",
    Status.UNDELIVERED: "danger",
    Status.FAILED: "danger",
    Status.REJECTED: "danger",
    Status.EXPIRED: "warning",
    Status.UNKNOWN: "warning",
}
