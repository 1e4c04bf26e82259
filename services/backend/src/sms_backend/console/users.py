"""Who may sign in, and in which role; there is always an admin left."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser, Group, User
from django.contrib.auth.password_validation import validate_password
from django.contrib.sessions.models import Session
from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.db.models import Q

from sms_backend.console.models import Recovery, Totp
from sms_backend.console.rights import Role
from sms_backend.core.errors import ConflictError, InvalidError, NotFoundError

_LOCK = 0x41444D4E


def role_of(user: AbstractBaseUser | AnonymousUser) -> Role | None:
    """The highest role of a user; whoever has all rights is an admin."""
    if not isinstance(user, User):
        return None
    if user.is_superuser:
        return Role.ADMIN
    names = {group.name for group in user.groups.all()}
    return next((role for role in (Role.ADMIN, Role.OPERATOR, Role.VIEWER) if role in names), None)


def user_named(name: str) -> User:
    """Raises `NotFoundError`."""
    try:
        return User.objects.get(username=name)
    except User.DoesNotExist:
        raise NotFoundError(f"there is no user {name!r}; `console user list` names them all") from None


def add_user(name: str, *, role: Role, password: str) -> User:
    """A login, or an existing one with a new password and this role. Raises `InvalidError`, `ConflictError`."""
    user = User.objects.filter(username=name).first() or User(username=name)
    try:
        user.clean_fields(exclude=["password"])
    except ValidationError as error:
        raise InvalidError({"user": " ".join(error.messages)}) from None
    check_password_of(user, password)
    with _an_admin_stays():
        user.set_password(password)
        user.is_active = True
        user.is_staff = True
        user.save()
        _give(user, role)
    return user


def check_password_of(user: User, password: str) -> None:
    """Whether a password is good enough for a user. Raises `InvalidError`."""
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise InvalidError({"password": " ".join(error.messages)}) from None


def set_password(user: User, password: str) -> None:
    """Another password. Raises `InvalidError`."""
    check_password_of(user, password)
    user.set_password(password)
    user.save(update_fields=["password"])


def give_role(user: User, role: Role) -> None:
    """Exactly this role, and nothing beside it. Raises `ConflictError`."""
    with _an_admin_stays():
        _give(user, role)


def set_active(user: User, *, active: bool) -> None:
    """Whether a login works; taking it away ends its sessions too. Raises `ConflictError`."""
    with _an_admin_stays():
        user.is_active = active
        user.save(update_fields=["is_active"])
    if not active:
        end_sessions(user)


def reset_second_factor(user: User) -> None:
    """For who has lost phone and recovery codes: the password alone opens until a new one is set up."""
    with transaction.atomic():
        Totp.objects.filter(user=user).delete()
        Recovery.objects.filter(user=user).delete()


def has_second_factor(user: User) -> bool:
    """Whether a code is asked for at sign-in."""
    return bool(Totp.objects.filter(user=user, confirmed=True).exists())


def is_verified(user: User) -> bool:
    """Whether this session has given the code."""
    # Put there by django-otp's middleware.
    return getattr(user, "otp_device", None) is not None


def end_sessions(user: User) -> None:
    """Sign a user out everywhere."""
    for session in Session.objects.iterator():
        if session.get_decoded().get("_auth_user_id") == str(user.pk):
            session.delete()


def document(user: User) -> dict[str, Any]:
    """A user, for commands."""
    return {
        "name": user.username,
        "role": role_of(user),
        "active": user.is_active,
        "two_factor": has_second_factor(user),
        "last_sign_in": None if user.last_login is None else user.last_login.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }


def kept(user: User) -> dict[str, Any]:
    """What of a user the audit trail keeps, as the table has it now."""
    known = document(User.objects.get(pk=user.pk))
    return {name: known[name] for name in ("name", "role", "active", "two_factor")}


def _give(user: User, role: Role) -> None:
    user.is_staff = True
    user.is_superuser = False
    user.save(update_fields=["is_staff", "is_superuser"])
    user.user_permissions.clear()
    user.groups.set([Group.objects.get(name=role.value)])


@contextmanager
def _an_admin_stays() -> Iterator[None]:
    """One change at a time, so that two admins cannot take the role from each other."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        admins = User.objects.filter(Q(is_superuser=True) | Q(groups__name=Role.ADMIN.value), is_active=True, is_staff=True)
        had = admins.exists()
        yield
        if had and not admins.exists():
            raise ConflictError("this is the last active admin; make another one first")
