"""The control API: accounts with their behaviour, messages from people, and the ledger. It is the tests' own, and no vendor's."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from sms_simulators.accounts import Account, AccountSettings
from sms_simulators.http import Request, Response, json_answer
from sms_simulators.messages import Incoming
from sms_simulators.vendor import House, Vendor

PREFIX: Final = "/control/"
_ACCOUNTS: Final = "accounts/"
_INBOUND: Final = "/inbound"


class ControlApi:
    """What stands below `/control/`."""

    def __init__(self, house: House, vendors: Mapping[str, Vendor[Any]]) -> None:
        self._house = house
        self._vendors = vendors

    async def handle(self, request: Request) -> Response:
        """Any request below `/control/`."""
        path = request.path.removeprefix(PREFIX)
        account, ledger = request.query.get("account"), self._house.ledger
        if path.startswith(_ACCOUNTS):
            return await self._account(request, path.removeprefix(_ACCOUNTS))
        match request.method, path:
            case "GET", "ledger":
                entries = [e for e in ledger.entries if account in {None, e.account}]
                refusals = [e for e in ledger.refusals if account in {None, e.account}]
                return json_answer(200, {"entries": entries, "refusals": refusals})
            case "GET", "ledger/summary":
                return json_answer(200, ledger.summary(account))
            case "DELETE", "ledger":
                ledger.clear()
                return Response(status=204)
            case "GET", "reports":
                return json_answer(200, self._house.reporter.counts)
        return json_answer(404, {"error": "no such path, or not with this method"})

    async def _account(self, request: Request, sid: str) -> Response:
        if request.method == "PUT":
            return self._put_account(sid, request.body)
        found = self._house.accounts.get(sid.removesuffix(_INBOUND))
        if found is None:
            return json_answer(404, {"error": "no such account"})
        if request.method == "POST" and sid.endswith(_INBOUND):
            return await self._inbound(found, request.body)
        return json_answer(200, self._shown(found))

    def _put_account(self, sid: str, body: bytes) -> Response:
        try:
            settings = msgspec.json.decode(body, type=AccountSettings)
        except msgspec.DecodeError as error:
            return json_answer(400, {"error": str(error)})
        if not sid or "/" in sid:
            return json_answer(400, {"error": "an account needs a sid"})
        if settings.vendor not in self._vendors:
            return json_answer(400, {"error": f"no vendor of that name; there are {', '.join(sorted(self._vendors))}"})
        if not self._vendors[settings.vendor].may_call(settings.reports_url):
            return json_answer(400, {"error": "that address is not on this machine"})
        return json_answer(200, self._shown(self._house.accounts.put(sid, settings)))

    async def _inbound(self, account: Account, body: bytes) -> Response:
        try:
            message = msgspec.json.decode(body, type=Incoming)
        except msgspec.DecodeError as error:
            return json_answer(400, {"error": str(error)})
        vendor = self._vendors[account.settings.vendor]
        if not vendor.may_call(message.url):
            return json_answer(400, {"error": "that address is not on this machine"})
        key = vendor.key_for(account, forged=message.forged, unsigned=message.unsigned)
        status = await self._house.reporter.deliver(vendor.incoming(account, message, key))
        return json_answer(200, {"status": status})

    def _shown(self, account: Account) -> dict[str, object]:
        settings = account.settings
        return {
            "account_sid": account.sid,
            "vendor": settings.vendor,
            "auth_token": settings.auth_token,
            "api_keys": settings.api_keys,
            "behaviour": settings.behaviour,
            **self._vendors[settings.vendor].shown(account),
        }
