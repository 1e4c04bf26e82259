"""`secrets`: moving over to new ones."""

from argparse import Namespace

from sms_backend.accounts import rotation
from sms_backend.console.actors import operator
from sms_backend.console.audit import record
from sms_backend.console.models import Totp
from sms_backend.core.operator import OperatorCommand, Shown, fields
from sms_backend.messages.models import PseudonymKey
from sms_backend.routing.models import Provider


class Command(OperatorCommand):
    """Moving over to new secrets."""

    help = "Secrets under rotation: status, reseal."

    def verbs(self) -> None:
        self.verb("status", self.status, "Which API keys are still stored under an older pepper.")
        self.verb("reseal", self.reseal, "Encrypt everything under the first of SMSGW_CREDENTIAL_KEYS.")

    def status(self, _arguments: Namespace) -> Shown:
        rotation.take_hashes()
        left = [{"key_id": key.id, "client": key.client.name} for key in rotation.old_keys()]
        lines = [f"{row['key_id']}  {row['client']}  not used since the pepper was changed" for row in left]
        return Shown({"keys_under_an_older_pepper": left}, *(lines or ["every valid key is stored under the newest pepper"]))

    def reseal(self, _arguments: Namespace) -> Shown:
        moved = {
            "providers": rotation.reseal_field(Provider.objects.all(), "config"),
            "webhook_secrets": rotation.reseal_signing_secrets(),
            "pseudonym_key": rotation.reseal_field(PseudonymKey.objects.all(), "secret"),
            "authenticators": rotation.reseal_field(Totp.objects.all(), "sealed_key"),
        }
        record(operator(), "secrets.resealed", changes=moved)
        return Shown(moved, *fields(moved), "The older keys may be taken out of SMSGW_CREDENTIAL_KEYS now, of every process.")
