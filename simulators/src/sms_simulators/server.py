"""One process with any number of accounts of the simulated vendors, the control API, and the reporter that posts their callbacks."""

from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sms_simulators import control
from sms_simulators.accounts import Accounts, accounts_file
from sms_simulators.http import Request, Response, json_answer, serving
from sms_simulators.ledger import Ledger
from sms_simulators.reports import Reporter
from sms_simulators.vendor import House, Vendor
from sms_simulators.vendors import VENDORS


class Simulator:
    """Serves while it is entered; `url` says where."""

    def __init__(
        self,
        *,
        ledger: Path,
        host: str = "127.0.0.1",
        port: int = 0,
        open_: bool = False,
        fsync: bool = False,
        allow_remote: bool = False,
    ) -> None:
        self._path = ledger
        self._host = host
        self._port = port
        self._open = open_
        self._fsync = fsync
        self._allow_remote = allow_remote
        self._stack = AsyncExitStack()
        self.url = ""

    async def __aenter__(self) -> Self:
        ledger = self._stack.enter_context(Ledger(self._path, fsync=self._fsync))
        reporter = await self._stack.enter_async_context(Reporter())
        accounts = Accounts(accounts_file(self._path), open_=self._open)
        house = House(accounts=accounts, ledger=ledger, reporter=reporter, allow_remote=self._allow_remote)
        vendors = {vendor.name: vendor(house) for vendor in VENDORS}
        self._routes: list[tuple[str, Vendor[Any]]] = [(prefix, v) for v in vendors.values() for prefix in v.prefixes]
        self._control = control.ControlApi(house, vendors)
        host, port = await self._stack.enter_async_context(serving(self._handle, self._host, self._port))
        self.url = f"http://{host}:{port}"
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self._stack.aclose()

    async def _handle(self, request: Request) -> Response:
        # By hand, not by a router: it costs less.
        for prefix, vendor in self._routes:
            if request.path.startswith(prefix):
                return await vendor.handle(request)
        if request.path.startswith(control.PREFIX):
            return await self._control.handle(request)
        if request.path == "/healthz":
            return json_answer(200, {"status": "ok"})
        return json_answer(404, {"error": "no such path"})
