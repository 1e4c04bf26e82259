"""The control API: accounts with their behaviour, and the ledger. It is the tests' own, and no vendor's."""

from typing import Final

import msgspec
from aiohttp import web

from sms_simulators.accounts import Account, Accounts, AccountSettings
from sms_simulators.ledger import Ledger
from sms_simulators.reports import Reporter

PREFIX: Final = "/control/"
_ACCOUNTS: Final = "accounts/"
_encode = msgspec.json.Encoder().encode


class ControlApi:
    """What stands below `/control/`."""

    def __init__(self, *, accounts: Accounts, ledger: Ledger, reporter: Reporter) -> None:
        self._accounts = accounts
        self._ledger = ledger
        self._reporter = reporter

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Any request below `/control/`."""
        path = request.path.removeprefix(PREFIX)
        account = request.query.get("account")
        if path.startswith(_ACCOUNTS):
            return await self._account(request, path.removeprefix(_ACCOUNTS))
        match request.method, path:
            case "GET", "ledger":
                entries = [e for e in self._ledger.entries if account in {None, e.account}]
                refusals = [e for e in self._ledger.refusals if account in {None, e.account}]
                return _answer(200, {"entries": entries, "refusals": refusals})
            case "GET", "ledger/summary":
                return _answer(200, self._ledger.summary(account))
            case "DELETE", "ledger":
                self._ledger.clear()
                return web.Response(status=204)
            case "GET", "reports":
                return _answer(200, self._reporter.counts)
        return _answer(404, {"error": "no such path, or not with this method"})

    async def _account(self, request: web.BaseRequest, sid: str) -> web.StreamResponse:
        if request.method == "PUT":
            return self._put_account(sid, await request.read())
        found = self._accounts.get(sid)
        return _answer(404, {"error": "no such account"}) if found is None else _answer(200, _shown(found))

    def _put_account(self, sid: str, body: bytes) -> web.Response:
        try:
            settings = msgspec.json.decode(body, type=AccountSettings)
        except msgspec.DecodeError as error:
            return _answer(400, {"error": str(error)})
        if not sid or "/" in sid:
            return _answer(400, {"error": "an account needs a sid"})
        return _answer(200, _shown(self._accounts.put(sid, settings)))


def _shown(account: Account) -> dict[str, object]:
    settings = account.settings
    return {
        "account_sid": account.sid,
        "auth_token": settings.auth_token,
        "api_keys": settings.api_keys,
        "behaviour": settings.behaviour,
    }


def _answer(status: int, content: object) -> web.Response:
    return web.Response(status=status, body=_encode(content), content_type="application/json")
