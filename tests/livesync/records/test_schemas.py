"""Records are what their published JSON Schemas say, at targets and for readers.

Covers `livesync.records.schemas`.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from jsonschema import Draft202012Validator
from werkzeug.test import Client

from export.app import make_app
from export.model.access import Protection
from livesync.agents.folder import FolderAgent
from livesync.agents.webhook import WebhookAgent

FORMS = {
    "records": "Records",
    "cloudevents-batched": "CloudEvents",
    "cloudevents-structured": "CloudEvent",
}


@pytest.fixture
def client(world):
    app = make_app(world.database, {"base_url": "https://x.example"})
    yield Client(app)
    app.close()


@pytest.fixture
def check(client):
    def check(instance, name):
        schema = client.get(f"/export/schemas/1/{name}.json").json
        Draft202012Validator(schema).validate(instance)

    return check


@pytest.fixture
def changed(world):
    """A world in which something was made, changed, hidden and deleted."""

    def change():
        event = world.add_event("1")
        event.setDates(datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 2, tzinfo=UTC))
        event.setDescription("<p>All of it</p>")
        world.add_event("2").setProtection(Protection.RESTRICTED)
        world.found.remove_event(world.add_event("3"))
        world.commit()

    return change


def test_what_a_folder_gets_is_as_the_schema_says(world, changed, check, tmp_path):
    world.manager.registerNewAgent(FolderAgent("a", "A", "", 60, folder=tmp_path / "out"))
    world.commit()
    world.add_event("4")
    world.deliver()
    world.found.remove_event(world.found.event("4"))
    world.commit()
    changed()
    world.deliver()
    told = [json.loads(file.read_text()) for file in sorted((tmp_path / "out").glob("*.json"))]
    for each in told:
        check(each, "Records")
    states = {record["status"] for each in told for record in each["records"]}
    assert states == {"created", "deleted"}
    assert any(record.get("restricted") for each in told for record in each["records"])


@pytest.mark.parametrize("form", FORMS)
def test_what_a_webhook_is_posted_is_as_the_schema_says(world, changed, check, form):
    changed()
    hook = WebhookAgent("a", "A", "", 60, url="http://x.example", form=form)
    world.manager.registerNewAgent(hook)
    hook.setActive(True)
    world.commit()
    records = list(hook._generateRecords(world.manager.getTrack().pointerIterItems("a"), None))
    assert records
    for record in records:
        prepared = json.loads(hook._prepare(record))
        if form == "records":
            check({"records": [prepared]}, FORMS[form])
        else:
            check(prepared, "CloudEvent")


def test_what_readers_are_told_is_as_the_schema_says(client, changed, check):
    changed()
    answer = client.get("/export/changes.json").json
    assert answer["results"]
    check(answer, "answers/changes")
    for told in answer["results"]:
        check(told, "Change")
    events = client.get("/export/changes.cloudevents").json
    check(events, "CloudEvents")
    check(events, "answers/change_events")
