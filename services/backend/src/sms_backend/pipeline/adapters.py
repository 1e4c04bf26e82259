"""Provider accounts, ready to send: built from the table, kept while their row does not change."""

import threading
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

import structlog
from cryptography.fernet import InvalidToken

from sms_backend.core.crypto import unseal
from sms_backend.routing.models import Provider
from sms_providers.base import Provider as Adapter
from sms_providers.registry import ConfigError, build
from sms_providers.types import Capabilities

log = structlog.get_logger()

#: Seconds for which a process may go on with what it read.
FRESH = 2.0


class Adapters:
    """One a process, shared by its threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._read_at = float("-inf")
        self._built: dict[str, tuple[datetime, Adapter[Any], str]] = {}

    def get(self, slug: str) -> Adapter[Any]:
        """The adapter of an account; one that is not known yet is looked for. Raises `KeyError` where there is no such account."""
        self.has(slug)
        return self._built[slug][1]

    def has(self, slug: str) -> bool:
        """Whether there is a usable account of that name; one that is not known yet is looked for."""
        self._refresh()
        if slug not in self._built:
            self.forget()
            self._refresh()
        return slug in self._built

    def capable(self, able: Callable[[Capabilities], bool]) -> list[str]:
        """Accounts whose adapter declares something."""
        self._refresh()
        return [slug for slug, (_, adapter, _) in self._built.items() if able(adapter.capabilities)]

    def callback_token(self, slug: str) -> str:
        """The secret part of an account's callback URL. Raises `KeyError` where there is no such account."""
        self.has(slug)
        return self._built[slug][2]

    def forget(self) -> None:
        """Read the table at the next call."""
        self._read_at = float("-inf")

    def _refresh(self) -> None:
        if time.monotonic() - self._read_at < FRESH:
            return
        with self._lock:
            now = time.monotonic()
            if now - self._read_at < FRESH:
                return
            built: dict[str, tuple[datetime, Adapter[Any], str]] = {}
            for row in Provider.objects.all():
                known = self._built.get(row.slug)
                if known is None or known[0] != row.updated_at:
                    try:
                        known = (row.updated_at, build(row.adapter, unseal(row.config), account=row.slug), row.callback_token)
                    except (KeyError, ConfigError, InvalidToken) as error:
                        # One account that cannot be used must not take the others with it.
                        log.error("provider.unusable", provider=row.slug, error=type(error).__name__)
                        continue
                built[row.slug] = known
            self._built, self._read_at = built, now


adapters = Adapters()
