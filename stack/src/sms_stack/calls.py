"""HTTP calls to our own processes on this machine, in the few lines that they need."""

import json
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import Message
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError


@dataclass(frozen=True, kw_only=True)
class Answer:
    status: int
    headers: Mapping[str, str]  #: names in lower case
    text: str

    def document(self) -> Any:
        return json.loads(self.text)


#: No proxy: what is asked is always on this machine.
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def call(url: str, *, method: str = "GET", body: Any = None, headers: Mapping[str, str] | None = None, timeout: float = 10) -> Answer:
    """Any answer is returned, a refusal too; raises `OSError` where there is none."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, method=method, headers={"Content-Type": "application/json", **(headers or {})})  # noqa: S310
    try:
        with _opener.open(request, timeout=timeout) as response:
            return Answer(status=response.status, headers=_lowered(response.headers), text=response.read().decode(errors="replace"))
    except HTTPError as refusal:
        with refusal:
            return Answer(status=refusal.code, headers=_lowered(refusal.headers), text=refusal.read().decode(errors="replace"))
    except HTTPException as error:
        raise OSError(f"no readable answer: {error!r}") from error


def _lowered(headers: Message) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}
