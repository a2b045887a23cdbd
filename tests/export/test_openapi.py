"""The description of the export: OpenAPI for programs, a page for people; both are true.

Covers `export.openapi.document`, `export.openapi.fossil_schemas`, `export.openapi.page`,
`export.openapi.type_schema`, `export.resources.description`.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest
from werkzeug.test import Client

from daemon.config import Web
from daemon.web.server import WebServer
from export.collection import Collection
from export.fossilize import IFossil
from export.openapi.fossil_schemas import FossilSchemas
from scheduler.store import transact
from tests.export.planting_secrets import let_in_everywhere, serving_secrets

IS_SOAK = bool(os.environ.get("SOAK"))
EXAMPLES = 50 if IS_SOAK else 1


class ITitleFossil(IFossil):
    """A book, by its title."""

    def title(): ...


class Books(Collection):
    """Books of the library."""

    address = "/export/book"
    details = {"title": ITitleFossil}

    def members(self):
        return ()

    def find(self, id):
        return None


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    with serving_secrets(tmp_path_factory.mktemp("openapi"), resources=[Books]) as app:
        yield app


@pytest.fixture(scope="module")
def headers(app):
    return {"Authorization": f"Bearer {transact(app.database, let_in_everywhere)}"}


@pytest.fixture(scope="module")
def server(app):
    server = WebServer(app, Web(port=0))
    yield server.url
    server.close()


def run_schemathesis(server, folder, *options):
    """Run the command with all checks, as a user would; return whether it found nothing."""
    phases = "examples,coverage,fuzzing,stateful" if IS_SOAK else "fuzzing"
    command = (
        *(sys.executable, "-m", "schemathesis.cli", "run", f"{server}/export/openapi.json"),
        *("--checks", "all", "--phases", phases, "-n", str(EXAMPLES), "--warnings", "off"),
        *("--no-color", "--suppress-health-check", "all", *options),
    )
    environment = {**os.environ, "SCHEMATHESIS_HOOKS": "tests.export.openapi_hooks"}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.soak
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("caller", ["nobody", "a manager"])
def test_everybody_is_answered_as_the_description_says(server, headers, tmp_path, caller):
    """A manager reads only: 500 is documented for a schedule that is no JSON object."""
    options = ("--include-method", "POST") if not IS_SOAK else ()
    if caller == "a manager":
        options = ("--include-method", "GET", "-H", f"Authorization: {headers['Authorization']}")
    ran = run_schemathesis(server, tmp_path, *options)
    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.fixture
def client(app):
    return Client(app)


def test_every_resource_is_described_with_its_parameters(client):
    paths = client.get("/export/openapi.json").json["paths"]
    events = paths["/export/categ/{idlist}.{format}"]["get"]
    assert {each["name"] for each in events["parameters"]} >= {"idlist", "format", "from", "type"}
    assert paths["/export/book/{idlist}.{format}"]["get"]["description"].startswith("Some of them")
    assert paths["/export/book.{format}"]["get"]["summary"] == "Books of the library."


def test_the_schemas_of_fossils_have_the_types_of_the_model(client):
    schemas = client.get("/export/openapi.json").json["components"]["schemas"]
    event = schemas["conferenceMetadata"]["properties"]
    assert event["title"] == {"type": "string"}
    assert event["startDate"] == {
        "anyOf": [{"$ref": "#/components/schemas/Date"}, {"type": "null"}]
    }
    assert event["material"]["items"] == {"$ref": "#/components/schemas/materialMetadata"}
    assert schemas["titleFossil"]["description"] == "A book, by its title."


def test_fossils_of_one_name_have_two_schemas():
    class IOtherFossil(IFossil):
        """A book, by nothing."""

    IOtherFossil.setTaggedValue("fossil", "titleFossil")
    schemas = FossilSchemas()
    references = {schemas.reference(each)["$ref"] for each in (ITitleFossil, IOtherFossil)}
    assert len(references) == 2


def test_the_page_loads_nothing_from_elsewhere(client):
    page = client.get("/export/docs")
    assert "script-src 'self'" in page.headers["Content-Security-Policy"]
    assert "unsafe" not in page.headers["Content-Security-Policy"]
    loaded = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert loaded
    for address in loaded:
        assert address.startswith("/")
        assert client.get(address).status_code == 200


def test_the_page_has_a_form_for_every_address(client):
    page = client.get("/export/docs").text
    paths = client.get("/export/openapi.json").json["paths"]
    assert page.count("<form") == sum(map(len, paths.values()))


def test_the_description_is_not_sent_twice(client):
    etag = client.get("/export/openapi.json").headers["ETag"]
    again = client.get("/export/openapi.json", headers={"If-None-Match": etag})
    assert again.status_code == 304
