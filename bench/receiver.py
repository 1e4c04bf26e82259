"""A client's receiver of webhooks, as a process of its own: answers at once, and writes down of which messages it heard."""

import argparse
import asyncio
import os
import sys
from pathlib import Path

import msgspec
import uvloop

from sms_simulators.http import Request, Response, serving


class _Data(msgspec.Struct):
    tracking_id: str


class _Event(msgspec.Struct):
    data: _Data


async def _serve(port: int, file: Path) -> None:
    decode = msgspec.json.Decoder(_Event).decode
    heard = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    async def handle(request: Request) -> Response:
        if request.method == "POST":
            os.write(heard, f"{decode(request.body).data.tracking_id}\n".encode())
        return Response()

    async with serving(handle, "127.0.0.1", port):
        await asyncio.Event().wait()


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="bench.receiver", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--file", type=Path, required=True)
    arguments = parser.parse_args()
    uvloop.run(_serve(arguments.port, arguments.file))
    return 0


if __name__ == "__main__":
    sys.exit(main())
