"""Asking vendors what is left in an account. Nothing is decided by it: an account without money says so when it is sent to."""

import asyncio
from collections.abc import Sequence

import structlog

from sms_backend.pipeline.adapters import adapters
from sms_backend.pipeline.courier import courier
from sms_backend.routing import balances
from sms_providers.errors import SendError, UnknownOutcomeError
from sms_providers.transport import Transport
from sms_providers.types import Balance

log = structlog.get_logger()

#: Seconds for an answer.
_PATIENCE = 25.0


def ask_due() -> None:
    """Ask those that are due, side by side, and keep what each says."""
    due = balances.take_due(adapters.capable(lambda c: c.balance))
    if not due:
        return
    for slug, told in zip(due, courier.ask(lambda transport: _ask(due, transport)), strict=True):
        balances.keep(slug, told)
        if isinstance(told, SendError):
            log.warning("provider.balance_unknown", provider=slug, outcome=told.outcome.value, error=told.detail)


async def _ask(slugs: Sequence[str], transport: Transport) -> list[Balance | SendError]:
    return await asyncio.gather(*(_ask_one(slug, transport) for slug in slugs))


async def _ask_one(slug: str, transport: Transport) -> Balance | SendError:
    try:
        async with asyncio.timeout(_PATIENCE):
            return await adapters.get(slug).balance(transport.exchange_for(slug))
    except SendError as error:
        return error
    except Exception as fault:  # noqa: BLE001 - the entry point of whatever an adapter does: one account must not keep the others from being asked
        return UnknownOutcomeError(type(fault).__name__)
