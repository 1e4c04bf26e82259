"""
The baselines: what this machine does with the same body when nothing is done with it.

`python -m bench.echo fastapi PORT WORKERS`: FastAPI and pydantic read the body, validate it and write it out again.
`python -m bench.echo asgi PORT WORKERS`: ASGI and msgspec alone, which is as little as a Python server can do; there so that nobody has to
wonder whether the first was chosen for its slowness.
"""

import sys
from typing import Any, Final

import msgspec
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel, Field
from starlette.types import ASGIApp, Receive, Scope, Send

#: The gateway's own, but for its protocol; a test compares them.
UVICORN: Final[dict[str, Any]] = {
    "loop": "uvloop",
    "http": "httptools",
    "ws": "none",
    "lifespan": "on",
    "access_log": False,
    "log_config": None,
    "server_header": False,
    "proxy_headers": False,
    "forwarded_allow_ips": None,
    "timeout_keep_alive": 75,
    "timeout_graceful_shutdown": 10,
}


class Message(BaseModel):
    """The body of the benchmark's request."""

    to: str
    text: str
    sender: str | None = Field(default=None, alias="from")
    reference: str | None = None


class Plain(msgspec.Struct):
    """The same for msgspec."""

    to: str
    text: str
    sender: str | None = msgspec.field(name="from", default=None)
    reference: str | None = None


def fastapi_echo() -> ASGIApp:
    """An ordinary FastAPI application with an ordinary route."""
    app = FastAPI()

    @app.post("/v1/messages", status_code=202)
    async def echo(message: Message) -> Message:
        return message

    @app.get("/healthz")
    async def alive() -> dict[str, str]:
        return {"status": "ok"}

    return app


def asgi_echo() -> ASGIApp:
    """No framework at all."""
    decode, encode = msgspec.json.Decoder(Plain).decode, msgspec.json.Encoder().encode

    async def echo(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _live(receive, send)
            return
        get = scope["method"] == "GET"
        body = b"{}" if get else encode(decode((await receive())["body"]))
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200 if get else 202, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return echo


async def _live(receive: Receive, send: Send) -> None:
    while (await receive())["type"] == "lifespan.startup":
        await send({"type": "lifespan.startup.complete"})
    await send({"type": "lifespan.shutdown.complete"})


if __name__ == "__main__":
    kind, port, workers = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    # By its name, because each worker makes its own.
    uvicorn.run(f"bench.echo:{kind}_echo", factory=True, host="127.0.0.1", port=port, workers=workers, **UVICORN)
