import atexit

from django.apps import AppConfig
from django.db import connections
from django.db.backends.postgresql.base import DatabaseWrapper


class PipelineConfig(AppConfig):
    name = "sms_backend.pipeline"
    label = "pipeline"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Have every process close its connections before the interpreter goes: the pool's threads cannot be stopped after it."""
        atexit.register(_close_pools)


def _close_pools() -> None:
    for connection in connections.all(initialized_only=True):
        connection.close()
        if isinstance(connection, DatabaseWrapper):
            connection.close_pool()
