"""One transaction imports an event; agents push all of it; the export gives it back."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections import Counter
from datetime import datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from zoneinfo import ZoneInfo

import pymarc
import pytest
from dateutil.rrule import SECONDLY
from lxml import etree
from werkzeug.test import Client

from export.app import make_app
from livesync import SyncManager
from livesync.agents.folder import FolderAgent
from livesync.agents.webhook import WebhookAgent
from livesync.tasks import LiveSyncUpdateTask
from scheduler.store import open_database, transact, using
from tests.serving import serving

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared/data"
LIVE = Path(os.environ.get("LIVE_EXPORT", SHARED / "indico_event_acat2024.json"))
SCHEMA = Path(os.environ.get("MARC_SCHEMA", SHARED / "MARC21slim.xsd"))
FILES = [ROOT / "tests/export/small_event.json", *([LIVE] if LIVE.exists() else [])]

PERSONS = {"speakers", "primaryauthors", "coauthors", "chairs"}
EVENT = [
    *("id", "title", "description", "startDate", "endDate", "timezone", "type", "location"),
    *(
        "room",
        "category",
        "categoryId",
        "url",
        "hasAnyProtection",
        "keywords",
        "material",
        "chairs",
    ),
]
TALK = [
    *("id", "title", "description", "startDate", "endDate", "duration", "location", "room"),
    *("roomFullname", "type", "track", "session", "url", "keywords", "material"),
    *("speakers", "primaryauthors", "coauthors"),
]


class Receiver(HTTPServer):
    """Takes every record that is posted to it."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Taking)
        self.records = []


class Taking(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.records.extend(json.loads(body)["records"])
        self.send_response(204)
        self.end_headers()

    def log_message(self, *args):
        pass


@pytest.fixture
def receiver():
    with serving(Receiver()) as server:
        yield server


@pytest.fixture
def tomorrow(clock):
    """Put the clock to where every bin that was begun today is complete."""
    return lambda: clock.advance(86400)


def at_work(uri, work):
    """Do *work* in a transaction on the database of *uri*, which is free again afterwards."""
    database = open_database(uri)
    try:
        return transact(database, work)
    finally:
        database.close()


def push(database):
    """Run all agents, as the periodic task does in the daemon."""
    connection = database.open()
    try:
        with using(connection):
            LiveSyncUpdateTask(SECONDLY).run()
    finally:
        connection.transaction_manager.abort()
        connection.close()


def writers(database):
    """Return the notes of the last transactions, the newest first."""
    return [entry["description"] for entry in database.undoInfo(0, 100)]


def ids_of(event):
    yield event["id"]
    for talk in event["contributions"]:
        yield f"{event['id']}.{talk['id']}"
        for sub in talk.get("subContributions", ()):
            yield f"{event['id']}.{talk['id']}.{sub['id']}"


def comparable(name, value):
    if isinstance(value, dict) and {"date", "time", "tz"} == set(value):
        moment = datetime.fromisoformat(f"{value['date']}T{value['time']}")
        return moment.replace(tzinfo=ZoneInfo(value["tz"])).astimezone(ZoneInfo("UTC"))
    return str(value) if name == "categoryId" else value


def assert_same(shown, original, names):
    for name in names:
        if name in PERSONS:
            for person, wanted in zip(shown[name], original[name], strict=True):
                assert {key: person[key] for key in wanted} == wanted
        elif name == "material":
            assert without_marks(shown[name]) == without_marks(original[name])
        else:
            assert comparable(name, shown[name]) == comparable(name, original[name]), name


def without_marks(materials):
    """Return materials and their resources by id, without a later version's remarks."""
    return [
        (one["title"], one["id"], [(res["name"], res["url"]) for res in one["resources"]])
        for one in sorted(materials, key=lambda one: one["title"])
    ]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_one_committed_import_reaches_every_agent_once_and_is_exported(
    tmp_path, receiver, tomorrow, file
):
    uri = f"file://{tmp_path}/data.fs"
    (original,) = json.loads(file.read_bytes())["results"]
    hook = f"http://127.0.0.1:{receiver.server_port}/"

    def register(connection):
        manager = SyncManager.getDBInstance(connection)
        for agent in (
            FolderAgent("json", "", "", 1, folder=tmp_path / "json", batch_size=50),
            FolderAgent("marc", "", "", 1, folder=tmp_path / "marc", format="marcxml"),
            WebhookAgent("hook", "", "", 1, url=hook, batch_size=70),
        ):
            agent.setActive(True)
            manager.registerNewAgent(agent)

    at_work(uri, register)
    command = [Path(sys.executable).with_name("indico_export"), "import", file, "--database", uri]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=200)
    (told,) = ended.stderr.splitlines()
    assert (ended.returncode, "the source does not tell who may see" in told) == (0, True)
    assert f"imported event {original['id']}" in ended.stdout

    database = open_database(uri)
    try:
        notes = writers(database)
        assert notes[0] == f"import {file}"
        assert notes.count(notes[0]) == 1
        assert transact(database, lambda c: SyncManager.getDBInstance(c).pending()) >= len(
            original["contributions"]
        )
        tomorrow()
        push(database)
        push(database)
        once = Counter(ids_of(original))
        assert Counter(record["id"] for record in receiver.records) == once
        assert {record["status"] for record in receiver.records} == {"created"}
        assert json_ids(tmp_path / "json") == once
        assert marc_ids(tmp_path / "marc") == once
        assert_given_back(database, original)
    finally:
        database.close()


def json_ids(folder):
    texts = [file.read_text() for file in sorted(folder.iterdir())]
    return Counter(record["id"] for text in texts for record in json.loads(text)["records"])


def marc_ids(folder):
    found = Counter()
    for file in sorted(folder.iterdir()):
        if SCHEMA.exists():
            etree.XMLSchema(etree.parse(SCHEMA)).assertValid(etree.parse(file))
        for record in pymarc.parse_xml_to_array(io.BytesIO(file.read_bytes())):
            found[record["970"]["a"].removeprefix("INDICO.")] += 1
    return found


def assert_given_back(database, original):
    address = f"/export/event/{original['id']}.json?detail=contributions"
    (event,) = Client(make_app(database)).get(address).json["results"]
    assert_same(event, original, EVENT)
    talks = {talk["id"]: talk for talk in event["contributions"]}
    assert talks.keys() == {talk["id"] for talk in original["contributions"]}
    for wanted in original["contributions"]:
        assert_same(talks[wanted["id"]], wanted, TALK)


def test_an_import_that_is_refused_records_nothing(tmp_path):
    uri = f"file://{tmp_path}/data.fs"
    bad = tmp_path / "bad.json"
    answer = json.loads(FILES[0].read_bytes())
    del answer["results"][0]["contributions"][1]["title"]
    bad.write_text(json.dumps(answer))
    command = [Path(sys.executable).with_name("indico_export"), "import", bad, "--strict"]
    command += ["--database", uri]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=200)

    assert ended.returncode == 1
    assert "contributions[1].title is missing" in ended.stderr
    assert ended.stderr.count("\n") == 2
    assert at_work(uri, lambda c: SyncManager.getDBInstance(c).pending()) == 0
