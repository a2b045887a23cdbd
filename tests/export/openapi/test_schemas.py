"""The JSON Schemas: what is answered is what they say, and they stay as they were published.

Covers `export.openapi.schema_documents`.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from werkzeug.test import Client

from export.auth.tokens import SCOPES, tokens
from export.collection import Collection
from export.fossilize import IFossil
from export.model.catalogue import catalogue
from scheduler.store import transact
from tests.export.addresses import READ, addresses
from tests.export.planting_secrets import MANAGER, serving_secrets

BASE = "https://x.example"
PUBLISHED = Path(__file__).with_name("published_schemas.json")
"""The fields of version 1 of each schema: one that is taken out, or changed, needs a version 2."""


class IReaderFossil(IFossil):
    """A reader of the library."""

    def getName(): ...


class Readers(Collection):
    """Readers of the library."""

    address = "/export/reader"
    details = {"all": IReaderFossil}

    def members(self):
        return ()

    def find(self, id):
        return None


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    with serving_secrets(tmp_path_factory.mktemp("schemas"), {"base_url": BASE}, [Readers]) as app:
        yield app


@pytest.fixture(scope="module")
def client(app):
    return Client(app)


@pytest.fixture(scope="module")
def known(client):
    """The addresses of all schemas by their names."""
    answer = client.get("/export/schemas.json")
    assert answer.status_code == 200
    return answer.json


@pytest.fixture(scope="module")
def schema(client):
    @cache
    def schema(name):
        answer = client.get(f"/export/schemas/1/{name}.json")
        assert answer.status_code == 200, answer.text
        assert answer.content_type == "application/schema+json"
        return answer.json

    return schema


def test_each_schema_is_one_of_json_schema_2020_12_at_its_own_address(known, schema):
    for name, address in known.items():
        Draft202012Validator.check_schema(schema(name))
        assert schema(name)["$id"] == address == f"{BASE}/export/schemas/1/{name}.json"
        assert schema(name)["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_a_schema_refers_to_nothing_outside(known, schema):
    for name in known:
        for reference in references(schema(name)):
            assert reference.removeprefix("#/$defs/") in schema(name)["$defs"], (name, reference)


def references(schema):
    if isinstance(schema, dict):
        yield from [schema["$ref"]] if isinstance(schema.get("$ref"), str) else []
        for value in schema.values():
            yield from references(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from references(value)


def test_an_application_s_own_fossils_have_schemas(schema):
    assert "name" in schema("readerFossil")["properties"]
    assert "readerFossil" in schema("answers/reader")["$defs"]


def test_openapi_refers_to_the_schemas(client, known):
    described = client.get("/export/openapi.json").json
    components = described["components"]["schemas"]
    assert {each["externalDocs"]["url"] for each in components.values()} <= set(known.values())
    event = described["paths"]["/export/event/{idlist}.{format}"]["get"]
    assert event["externalDocs"]["url"] == known["answers/events"]
    changes = described["paths"]["/export/changes.json"]["get"]
    assert changes["externalDocs"]["url"] == known["answers/changes"]


def test_an_unknown_schema_is_not_found(client):
    for address in ("/export/schemas/1/nothing.json", "/export/schemas/2/Record.json"):
        assert client.get(address).status_code == 404


def test_all_answers_in_json_are_as_their_schemas_say(app, client, known, schema):
    def make(connection):
        catalogue(connection).root.grant_modification(MANAGER)
        return tokens(connection).create(MANAGER, "all", SCOPES)[1]

    headers = {"Authorization": f"Bearer {transact(app.database, make)}"}
    checked = set()
    for address in addresses(READ):
        path = address.partition("?")[0]
        resource, _ = app.routing.find(path, "GET")
        name = f"answers/{resource.name}"
        if not path.endswith(".json") or name not in known:
            continue
        answer = client.get(address, headers=headers)
        if answer.status_code >= 400:
            continue
        check(answer.json, schema(name))
        checked.add(resource.name)
    assert len(checked) > 15, checked


def test_what_changed_and_vanished_is_as_the_schema_says(app, client, schema):
    position = client.get("/export/event/137346.json").headers["Position"]
    transact(app.database, lambda own: catalogue(own).event("137346").setTitle("Another"))
    answer = client.get(f"/export/categ/0.json?since={position}").json
    assert answer["additionalInfo"]["position"]
    check(answer, schema("answers/category_events"))


def test_errors_are_as_their_schemas_say(client, schema):
    refused = client.get("/export/event/1.json?limit=x")
    check(refused.json, schema("Error"))
    refused = client.get(
        "/export/event/1.json?limit=x", headers={"Accept": "application/problem+json"}
    )
    check(refused.json, schema("Problem"))


def test_nothing_is_taken_out_of_a_published_schema_nor_given_another_type(known, schema):
    for name, fields in json.loads(PUBLISHED.read_text()).items():
        assert name in known, f"{name} is gone: {PUBLISHED.name} says what readers count on"
        present = fields_of(schema(name))
        assert fields.items() <= present.items(), name


def fields_of(schema):
    """Return the types of fields by their paths."""
    found = {}
    for name, each in schema.get("properties", {}).items():
        found[name] = json.dumps({key: each[key] for key in ("type", "$ref") if key in each})
        found |= {f"{name}.{inner}": told for inner, told in fields_of(each).items()}
    return found


def check(instance, schema):
    errors = list(Draft202012Validator(schema).iter_errors(instance))
    assert not errors, "\n".join(f"{one.json_path}: {one.message[:300]}" for one in errors[:5])
