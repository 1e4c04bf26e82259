"""How many messages there are of a kind, so that nobody ever counts them: kept by the database, read by the console."""

from django.db import models


class Counted(models.Model):
    """What is counted together."""

    kind = models.CharField(max_length=8, help_text="`message`, `attempt`, or the times until a message was `taken` or had `arrived`.")
    at = models.DateTimeField(help_text="The beginning of its time slot.")
    mode = models.CharField(max_length=4, default="", db_default="")
    provider = models.CharField(max_length=40, default="", db_default="")
    country = models.CharField(max_length=3, help_text="ISO 3166, by number.", default="", db_default="")
    status = models.CharField(max_length=32, help_text="Of a message; of an attempt, its outcome.", default="", db_default="")
    code = models.CharField(max_length=40, help_text="Error code.", default="", db_default="")
    bin = models.SmallIntegerField(default=0, db_default=0, help_text="Of a time: a quarter of an octave of milliseconds.")

    class Meta:
        abstract = True


class TallyChange(Counted):
    """What one statement has changed, written in its transaction; folded into `Tally` soon after."""

    n = models.IntegerField(help_text="How many more there are, or fewer.")

    class Meta:
        db_table = "tally_changes"

    def __str__(self) -> str:
        return f"{self.kind} {self.n:+}"


class Tally(Counted):
    """How many there are, by slots of five minutes and of an hour."""

    pk = models.CompositePrimaryKey("minutes", "kind", "at", "mode", "provider", "country", "status", "code", "bin")
    minutes = models.SmallIntegerField(help_text="How long its slot is: 5 or 60.")
    n = models.BigIntegerField()

    class Meta:
        db_table = "tallies"

    def __str__(self) -> str:
        return f"{self.kind} {self.n}"
