"""
Many good clients: each message with a key of its own, repeated with the same key until there is a clear answer, at a steady rate.

A good client repeats after 503, 429, 409 `idempotency.in_progress`, a time-out and a broken connection, waits as long as it is told (here at
most a second), and gives up when its patience is at its end. One more only looks at what has been acknowledged: it must be there.
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from chaos.account import Attempted

#: A good client's own time-out for a try, and how long it goes on after the load has ended.
_TRY = aiohttp.ClientTimeout(total=10)
PATIENCE = 60.0
_AGAIN = {429, 503}
_LANES = ("transactional", "transactional", "transactional", "otp", "promotional")


@dataclass(frozen=True)
class Customer:
    """A client of the gateway."""

    id: str
    key: str
    on_unknown: str


@dataclass(kw_only=True)
class Told:
    """What a client has heard about one key so far."""

    text: str
    customer: Customer
    began: float
    tracking_ids: list[str] = field(default_factory=list)
    unclear: bool = False
    ended: float | None = None
    canceled: bool = False


@dataclass(frozen=True, kw_only=True)
class Style:
    """How the clients of a scenario send."""

    clients: int = 12
    rate: float = 30.0  #: messages a second, of all together
    repeats: float = 0.1  #: the share that is sent once more with the same key after its 202
    cancels: float = 0.0  #: the share that is asked back, half of it at once and half within a second
    fields: dict[str, Any] = field(default_factory=dict)


class Load:
    """Runs inside the background loop; what it has heard may be read from any thread."""

    def __init__(self, gateway: str, customers: Sequence[Customer], *, run: str, style: Style, rng: random.Random) -> None:
        self.run = run
        self.told: list[Told] = []
        self.answers: Counter[str] = Counter()
        self.wrong: list[str] = []  #: answers that a good client must never get
        self.slowest = 0.0
        self._gateway, self._customers, self._style, self._rng = gateway, customers, style, rng
        self._stopping = asyncio.Event()
        self._give_up_at = float("inf")
        self._later: list[asyncio.Task[None]] = []

    @property
    def acknowledged(self) -> int:
        return sum(bool(one.tracking_ids) for one in self.told)

    def clients_of(self, customer: Customer) -> int:
        """How many send for it."""
        return sum(self._customers[number % len(self._customers)] is customer for number in range(self._style.clients))

    def acknowledged_since(self, moment: float) -> int:
        """Of what was first tried after a moment (monotonic)."""
        return sum(bool(one.tracking_ids) for one in self.told if one.began >= moment)

    def waiting_since(self, moment: float) -> int:
        """Of what was first tried before a moment (monotonic): how many have no clear answer yet."""
        return sum(not one.tracking_ids for one in self.told if one.began < moment)

    def attempted(self) -> list[Attempted]:
        """For the account."""
        return [
            Attempted(
                text=one.text,
                client=one.customer.id,
                on_unknown=one.customer.on_unknown,
                tracking_ids=tuple(dict.fromkeys(one.tracking_ids)),
                unclear=one.unclear,
                canceled=one.canceled,
            )
            for one in self.told
        ]

    async def work(self) -> None:
        """Until `stop`, and then until every client has its answer or has lost its patience."""
        connector = aiohttp.TCPConnector(limit=0, force_close=False)
        async with aiohttp.ClientSession(connector=connector, timeout=_TRY) as http:
            watcher = asyncio.create_task(self._watch(http))
            await asyncio.gather(*(self._client(http, number) for number in range(self._style.clients)))
            await asyncio.gather(*self._later)
            watcher.cancel()

    async def stop(self, *, patience: float = PATIENCE) -> None:
        self._give_up_at = time.monotonic() + patience
        self._stopping.set()

    async def _client(self, http: aiohttp.ClientSession, number: int) -> None:
        customer = self._customers[number % len(self._customers)]
        pause = self._style.clients / self._style.rate
        await self._wait(pause * self._rng.random())
        count = 0
        while not self._stopping.is_set():
            count += 1
            began = time.monotonic()
            await self._one(http, customer, f"{self.run} {number}-{count}")
            await self._wait(pause * self._rng.uniform(0.8, 1.2) - (time.monotonic() - began))

    async def _wait(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(max(seconds, 0)):
                await self._stopping.wait()
        except TimeoutError:
            return

    async def _one(self, http: aiohttp.ClientSession, customer: Customer, text: str) -> None:
        told = Told(text=text, customer=customer, began=time.monotonic())
        self.told.append(told)
        body = {
            "to": f"+4477009{self._rng.randrange(10**5):05}",
            "text": text,
            "traffic_type": self._rng.choice(_LANES),
            "on_unknown": customer.on_unknown,
            **self._style.fields,
        }
        again = self._rng.random() < self._style.repeats
        take_back = self._rng.random() < self._style.cancels
        await self._until_clear(http, told, body)
        if told.tracking_ids and take_back:
            await self._wait(max(0.0, self._rng.uniform(-1, 1)))
            await self._cancel(http, told)
        if told.tracking_ids and again:
            self._later.append(asyncio.create_task(self._repeat(http, told, body)))

    async def _repeat(self, http: aiohttp.ClientSession, told: Told, body: dict[str, Any]) -> None:
        """Once more with the same key, as a client does that has lost its answer."""
        await self._wait(self._rng.uniform(0, 3))
        await self._until_clear(http, told, body)

    async def _until_clear(self, http: aiohttp.ClientSession, told: Told, body: dict[str, Any]) -> None:
        headers = {"API-Key": told.customer.key, "Idempotency-Key": told.text.replace(" ", "-")}
        while time.monotonic() < self._give_up_at:
            began = time.monotonic()
            try:
                async with http.post(f"{self._gateway}/v1/messages", json=body, headers=headers) as answer:
                    status, document, retry_after = answer.status, await answer.json(), answer.headers.get("Retry-After")
            except (aiohttp.ClientError, TimeoutError, ValueError) as error:
                told.unclear = True
                self.answers[type(error).__name__] += 1
                await asyncio.sleep(self._rng.uniform(0.05, 0.2))
                continue
            self.slowest = max(self.slowest, time.monotonic() - began)
            code = document.get("code", "")
            self.answers[f"{status} {code}".strip()] += 1
            if status == 202:
                told.tracking_ids.append(document["tracking_id"])
                told.ended = time.monotonic()
                return
            told.unclear = told.unclear or status == 503
            if status not in _AGAIN and code != "idempotency.in_progress":
                self.wrong.append(f"answered {status} {code} to {told.text}")
                return
            await asyncio.sleep(min(float(retry_after or 0.1), 1.0) * self._rng.uniform(0.5, 1.0))

    async def _cancel(self, http: aiohttp.ClientSession, told: Told) -> None:
        headers = {"API-Key": told.customer.key}
        told.canceled = True
        while time.monotonic() < self._give_up_at:
            try:
                async with http.post(f"{self._gateway}/v1/messages/{told.tracking_ids[0]}/cancel", headers=headers) as answer:
                    if answer.status not in _AGAIN:
                        if answer.status not in {202, 409}:
                            self.wrong.append(f"answered {answer.status} to the cancel of {told.text}")
                        return
            except (aiohttp.ClientError, TimeoutError):
                pass
            await asyncio.sleep(0.2)

    async def _watch(self, http: aiohttp.ClientSession) -> None:
        """What was acknowledged is there whenever somebody looks, or the gateway says that it cannot tell now."""
        while True:
            await asyncio.sleep(0.2)
            known = [one for one in self.told[-500:] if one.tracking_ids]
            if not known:
                continue
            one = self._rng.choice(known)
            url = f"{self._gateway}/v1/messages/{one.tracking_ids[0]}"
            try:
                async with http.get(url, headers={"API-Key": one.customer.key}) as answer:
                    if answer.status not in {200, 503}:
                        self.wrong.append(f"answered {answer.status} to a look at {one.tracking_ids[0]}")
            except (aiohttp.ClientError, TimeoutError):
                continue
