"""Whose numbers are: what people write to them goes to their client."""

from django.db import IntegrityError, transaction

from sms_backend.accounts import validation
from sms_backend.accounts.models import Client, InboundNumber
from sms_backend.core.errors import ConflictError, InvalidError, NotFoundError


def add_number(number: str, client: Client, *, provider: str = "") -> InboundNumber:
    """A number of a client's, from one provider or from whichever. Raises `InvalidError`, `ConflictError`."""
    try:
        number = validation.sender(number)
    except ValueError as error:
        raise InvalidError({"number": str(error)}) from None
    try:
        with transaction.atomic():
            return InboundNumber.objects.create(number=number, client=client, provider=provider)
    except IntegrityError:
        raise ConflictError("this number is somebody's already; remove it first") from None


def remove_number(number: str, *, provider: str = "") -> None:
    """It is nobody's from now on. Raises `NotFoundError`."""
    if not InboundNumber.objects.filter(number=number, provider=provider).delete()[0]:
        raise NotFoundError("there is no such number; `number list` names them all")
