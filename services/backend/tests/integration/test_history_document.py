"""What describes the history: the document says what is answered, and its page asks nobody else."""

import re
from contextlib import closing
from typing import Any

import msgspec
from django.test import Client as Browser

from sms_backend.history.openapi import document
from sms_backend.history.query import Filters, Listing
from sms_backend.history.views import MessagePage
from sms_contract.errors import CATALOGUE
from sms_contract.message import Message


def references(node: Any) -> set[str]:
    if isinstance(node, dict):
        return {value for key, value in node.items() if key == "$ref"}.union(*map(references, node.values()))
    return set[str]().union(*map(references, node)) if isinstance(node, list) else set()


def test_anybody_may_read_it() -> None:
    response = Browser().get("/v1/history/openapi.json")
    assert (response.status_code, response["Content-Type"]) == (200, "application/json")
    assert response.json() == document()
    assert response["X-Request-ID"]


def test_every_reference_leads_somewhere() -> None:
    for reference in references(document()):
        found: Any = document()
        for step in reference.removeprefix("#/").split("/"):
            found = found[step]


def test_parameters_are_those_that_are_read() -> None:
    paths = document()["paths"]
    for path, query in (("/v1/history/messages", Listing), ("/v1/history/messages.csv", Filters)):
        parameters = paths[path]["get"]["parameters"]
        assert {p["name"] for p in parameters} == {field.name for field in msgspec.structs.fields(query)}
        assert all(p["description"] and ({"type", "$ref", "enum"} & set(p["schema"])) for p in parameters), parameters


def test_every_refusal_has_its_example() -> None:
    for operation in (path["get"] for path in document()["paths"].values()):
        for status, response in operation["responses"].items():
            for code, example in response["content"].get("application/problem+json", {"examples": {}})["examples"].items():
                assert (example["value"]["status"], CATALOGUE[code].status) == (int(status), int(status))


def test_examples_are_what_is_answered() -> None:
    def example(path: str) -> Any:
        return document()["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["example"]

    page = msgspec.convert(example("/v1/history/messages"), MessagePage)
    story = example("/v1/history/messages/{tracking_id}")
    assert set(story) == set(msgspec.to_builtins(page.data[0])) | {"reports"}
    assert msgspec.convert(story | {"attempts": len(story["attempts"])}, Message)
    schema = document()["components"]["schemas"]["MessageStory"]
    assert set(schema["properties"]) == set(story)
    assert schema["properties"]["attempts"]["type"] == "array"


def test_the_page_asks_nobody_else() -> None:
    response = Browser().get("/v1/history/docs")
    html = response.content.decode()
    loaded = re.findall(r'(?:src|href)="([^"]+)"', html)
    assert len(loaded) >= 3
    assert all(path.startswith("/static/") for path in loaded)
    assert '"validatorUrl": null' in html
    assert "default-src 'none'" in response["Content-Security-Policy"]
    for path in loaded:
        with closing(Browser().get(path)) as asset:
            assert asset.status_code == 200
