"""What Django itself says of how the console is deployed."""

import os
import subprocess
import sys


def check(**settings):
    environment = os.environ | {"SMSGW_SECRET_KEY": "hR7-q" * 12, "SMSGW_ALLOWED_HOSTS": "console.example.org"} | settings
    command = [sys.executable, "-m", "sms_backend", "check", "--deploy", "--fail-level", "WARNING"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=50)


def test_a_deployment_in_production_has_nothing_that_django_would_warn_of():
    done = check(SMSGW_DEVELOPMENT="0")
    assert done.returncode == 0, done.stderr
    assert "no issues" in done.stdout


def test_development_is_what_opens_plain_http():
    done = check(SMSGW_DEVELOPMENT="1")
    assert done.returncode == 1
    assert "SECURE_SSL_REDIRECT" in done.stderr
