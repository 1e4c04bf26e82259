from django.apps import AppConfig


class RoutingConfig(AppConfig):
    name = "sms_backend.routing"
    label = "routing"
    default_auto_field = "django.db.models.BigAutoField"
