"""`intake`: RabbitMQ to PostgreSQL, until TERM."""

import asyncio
import signal
from typing import Any

import uvloop
from django.core.management.base import BaseCommand

from sms_backend.core import collector
from sms_backend.core.operator import DJANGOS
from sms_backend.pipeline.consumer import consume


class Command(BaseCommand):
    help = "Store what the gateway has accepted: RabbitMQ to PostgreSQL. Runs until it is told to stop."
    suppressed_base_arguments = DJANGOS

    def handle(self, **_: Any) -> None:
        collector.settle()
        uvloop.run(_until_told())


async def _until_told() -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stopping.set)
    await consume(stopping)
