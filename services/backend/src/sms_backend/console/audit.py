"""
The audit trail: who did what in the console or by a command, when, from where, and what it changed.

An entry is written in the transaction of what it tells of, so that neither is there without the other. Entries hold no secrets, no
numbers and no texts: documents come from `documents.py`, which hides them, and whoever names an object by a number masks it first.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Model
from django.http import HttpRequest

from sms_backend.console.actors import Actor
from sms_backend.console.models import AuditEntry
from sms_backend.core.addresses import is_address
from sms_backend.core.errors import NotProjectedError
from sms_backend.core.peers import peer

Document = Mapping[str, Any]
#: A signed-in user's request, or somebody else.
By = HttpRequest | Actor


def record(
    by: By,
    action: str,
    subject: Model | None = None,
    *,
    name: str | None = None,
    changes: Mapping[str, Any] | None = None,
    user: User | None = None,
) -> AuditEntry:
    """
    Write down one thing that was done: `action` is `noun.participle`, as `client.suspended`.

    `name` is how people know the object (default: its text); give one where its text holds a number. `changes` is what `difference`
    returns, or any fields that say more. `user` is for sign-ins, before the request has one.
    """
    known = user or _user_of(by)
    return AuditEntry.objects.create(
        user=known,
        who=by.who if isinstance(by, Actor) else "" if known is None else known.get_username(),
        action=action,
        object_type="" if subject is None else subject._meta.model_name or "",  # noqa: SLF001 - Django's public-in-all-but-name
        object_id="" if subject is None else str(subject.pk),
        object_name=("" if subject is None else str(subject))[:200] if name is None else name[:200],
        changes=dict(changes or {}),
        address=None if isinstance(by, Actor) else address_of(by),
    )


def address_of(request: HttpRequest) -> str | None:
    """Where a request comes from; None where a proxy says something that is no address."""
    address = peer(request)
    return address if is_address(address) else None


def _user_of(by: By) -> User | None:
    return by.user if isinstance(by, HttpRequest) and isinstance(by.user, User) else None


def added[M: Model](by: By, action: str, make: Callable[[], M], *, document: Callable[[M], Document], name: str | None = None) -> M:
    """A new row and its entry, in one transaction. `NotProjectedError` comes when both are there."""
    with transaction.atomic():
        made = make()
        record(by, action, made, name=name, changes=difference({}, document(made)))
    return made


@contextmanager
def audited(by: By, action: str, subject: Model, *, document: Callable[[Any], Document], name: str | None = None) -> Iterator[None]:
    """
    A change of a row and its entry, in one transaction; `document` says what of the row may be kept.

    A change that Redis alone does not have yet is made, and told of, before `NotProjectedError` goes on.
    """
    late: NotProjectedError | None = None
    with transaction.atomic():
        before = document(subject)
        try:
            yield
        except NotProjectedError as error:
            late = error
        record(by, action, subject, name=name, changes=difference(before, document(subject)))
    if late is not None:
        raise late


def difference(before: Document, after: Document) -> dict[str, list[Any]]:
    """Field to [what it was, what it is], where the two differ."""
    names = list(dict.fromkeys([*before, *after]))
    return {name: [before.get(name), after.get(name)] for name in names if before.get(name) != after.get(name)}
