"""An environment for tests that need no service: settings are read once, at import."""

import os

import django

for name, value in {
    "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none",
    "RABBITMQ_URL": "amqp://nobody:x@127.0.0.1:1/none",
    "REDIS_URL": "redis://127.0.0.1:1/0",
    "PUBLIC_BASE_URL": "http://127.0.0.1:1",
    "SMSGW_SECRET_KEY": "k" * 40,
    "SMSGW_KEY_PEPPER": "p" * 40,
    "SMSGW_CALLBACK_SECRET": "c" * 40,
    "SMSGW_CREDENTIAL_KEYS": "MDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDA=",
    "SMSGW_DEVELOPMENT": "1",
    "DJANGO_SETTINGS_MODULE": "sms_backend.config.settings",
}.items():
    os.environ.setdefault(name, value)

django.setup()
