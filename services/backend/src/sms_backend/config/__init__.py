"""How the processes of Server B are put together: settings, Celery, Gunicorn, URLs."""

from sms_backend.config.celery import app

#: Every process that loads the settings has this as its current app, so that hints can be sent from any of them.
__all__ = ("app",)
