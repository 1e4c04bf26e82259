"""Celery's shell around what the console has done regularly."""

import time

from celery import shared_task
from django.utils import timezone

from sms_backend.console import tidying
from sms_backend.messages import sweeper_runs


@shared_task(name="console.tidy")
def tidy() -> None:
    """Sessions, wrong passwords, the trail's old end."""
    began = time.monotonic()
    tidying.tidy(timezone.now())
    sweeper_runs.note("console", time.monotonic() - began)
