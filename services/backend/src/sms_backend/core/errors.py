"""
What an operator is told when something cannot be done.

* OperatorError
  x InvalidError         what was given is wrong: mend it
  x NotFoundError        there is nothing of that name
  x ConflictError        it is there already, or not in a state for that
  x NotProjectedError    done, and in PostgreSQL, but Redis does not have it yet
  x UnreachableError     a service that is needed does not answer

The text is for people; it never holds a secret, a number or a message's text.
"""

from typing import ClassVar


class OperatorError(Exception):
    """Something could not be done, said in plain words."""

    exit_code: ClassVar[int] = 1


class InvalidError(OperatorError):
    """What was given is wrong."""

    exit_code = 2

    def __init__(self, problems: dict[str, str]) -> None:
        super().__init__("; ".join(f"{field}: {problem}" for field, problem in problems.items()))
        self.problems = problems  #: field to what is wrong with it


class NotFoundError(OperatorError):
    """There is nothing of that name."""


class ConflictError(OperatorError):
    """It is there already, or not in a state for that."""


class NotProjectedError(OperatorError):
    """PostgreSQL has it, Redis not yet."""


class UnreachableError(OperatorError):
    """A service that is needed does not answer."""
