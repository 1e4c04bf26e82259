"""What people see when something of ours is broken."""

import pytest
from django.db import OperationalError
from django.test import RequestFactory

from sms_backend.console import views


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (OperationalError("connection refused"), 503, "PostgreSQL does not answer"),
        (ValueError("a bug"), 500, "Something went wrong here"),
    ],
)
def test_a_database_that_is_away_is_not_called_a_bug(error, status, said):
    try:
        raise error
    except type(error):
        answer = views.failed(RequestFactory().get("/console/"))
    assert answer.status_code == status
    assert said in answer.content.decode()
    assert str(error) not in answer.content.decode()
