"""
What can go wrong on one machine, each a sentence that says what to do.

* StackError
  + NotUp           something that must run does not
  + NotReady        something was started and did not become ready in time
  + BadInstance     what lies in SMSGW_HOME, or the environment, cannot be used
  + MissingProgram  a program of the system is not installed
"""


class StackError(Exception):
    """Shown to the user as it is; the exit code is 1."""


class NotUp(StackError):  # noqa: N818 -- what is the case
    """The system is not up. Start it with: ./smsgw up"""


class NotReady(StackError):  # noqa: N818
    """Something did not become ready; the message ends with its last log lines."""


class BadInstance(StackError):  # noqa: N818
    """What lies in SMSGW_HOME, or the environment, cannot be used."""


class MissingProgram(StackError):  # noqa: N818
    """A program of the system is not installed."""
