"""`python -m sms_simulators`: the simulated vendors in one process."""

import argparse
import asyncio
import gc
import signal
import sys
from pathlib import Path

import uvloop

from sms_simulators.addresses import is_loopback
from sms_simulators.server import Simulator


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="sms_simulators", description="Simulated SMS vendors that misbehave on request.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True, help="0: any free one; the first line on stdout names it")
    parser.add_argument("--ledger", type=Path, required=True, help="JSON lines, appended to; accounts are kept beside it")
    parser.add_argument("--fsync", action="store_true", help="sync the ledger to disk before each answer")
    parser.add_argument("--open", action="store_true", help="take messages for accounts that nobody has set up, with any credentials")
    parser.add_argument("--allow-remote", action="store_true", help="listen, and post reports, beyond this machine")
    arguments = parser.parse_args()
    if not is_loopback(arguments.host) and not arguments.allow_remote:
        parser.error(f"{arguments.host} is not loopback: name --allow-remote if that is meant")
    return arguments


async def _serve(arguments: argparse.Namespace) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    simulator = Simulator(
        ledger=arguments.ledger,
        host=arguments.host,
        port=arguments.port,
        open_=arguments.open,
        fsync=arguments.fsync,
        allow_remote=arguments.allow_remote,
    )
    async with simulator:
        # What is kept of each message is kept for good: the collector need not look at it again and again.
        gc.collect()
        gc.freeze()
        gc.set_threshold(50_000, 20, 50)
        sys.stdout.write(f"listening on {simulator.url}\n")
        sys.stdout.flush()
        await stop.wait()


if __name__ == "__main__":
    uvloop.run(_serve(_arguments()))
