"""A service's problems, where a form shows them."""

from django import forms

from sms_backend.core.errors import InvalidError


def add_problems(form: forms.BaseForm, error: InvalidError, *, names: dict[str, str] | None = None) -> None:
    """A service's problems beside the fields that they are about."""
    for name, problem in error.problems.items():
        shown = (names or {}).get(name, name)
        form.add_error(shown if shown in form.fields else None, problem)
