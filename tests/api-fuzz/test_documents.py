"""The OpenAPI documents, judged by those who make tools for them."""

import json
import shutil
import subprocess

import httpx
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator, validate

STYLE = "@redocly/cli@2.5.0"


@pytest.mark.parametrize("server", ["gateway", "history"])
def test_a_document_is_openapi_3_1(documents, server: str) -> None:
    document = httpx.get(documents[server]).json()
    assert document["openapi"] == "3.1.0"
    validate(document, cls=OpenAPIV31SpecValidator)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("server", ["gateway", "history"])
def test_a_document_is_of_good_style(documents, tmp_path, server: str) -> None:
    npx = shutil.which("npx")
    if npx is None:
        pytest.skip("The style linter needs Node (apt-get install npm)")
    (tmp_path / "openapi.json").write_bytes(httpx.get(documents[server]).content)
    # Probes cannot be asked wrongly.
    command = [npx, "--yes", STYLE, "lint", "openapi.json", "--format=json", "--skip-rule=operation-4xx-response"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    totals = json.loads(done.stdout)["totals"]
    assert (totals["errors"], totals["warnings"]) == (0, 0), done.stdout
