from django.apps import AppConfig


class MessagesConfig(AppConfig):
    name = "sms_backend.messages"
    label = "sms_messages"
    verbose_name = "Messages"
    default_auto_field = "django.db.models.BigAutoField"
