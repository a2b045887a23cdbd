"""At every target an object is known by its kind and its id, and pages by their whole address.

Covers `export.fossils.address`, `export.fossils.installation`.
"""

from __future__ import annotations

import json

import pytest
from persistent import Persistent

from export.app import make_app
from export.errors import ExportConfigurationException
from export.model.catalogue import catalogue
from export.model.conference import Conference
from export.model.contribution import Contribution
from livesync import ActionWrapper, components
from livesync.agents.folder import FolderAgent
from livesync.agents.invenio import InvenioBatchUploaderAgent
from livesync.agents.opensearch import OpenSearchAgent
from livesync.agents.postgres import PostgresAgent
from livesync.agents.webhook import WebhookAgent
from livesync.cli import main
from livesync.delivery.deliverer import UP_TO_DATE, Deliverer
from livesync.resync.verification import Verification
from scheduler.store import open_database
from tests.postgres import query

HERE = "https://talks.example.org"


class Book(Persistent):
    def __init__(self, name):
        self.name = name

    def getId(self):
        return self.name

    def getTitle(self):
        return f"Book {self.name}"


KIND = f"{Book.__module__}.Book"


@pytest.fixture
def listening():
    components.connect()
    yield
    components.disconnect()


@pytest.fixture
def told(manager, connection, database, listening, register):
    """Deliver an event and a book with one id, then the end of the book, to an agent."""

    def told(agent):
        register(agent)
        event = Conference("3", "An event")
        event.addContribution(Contribution("1", "A talk"))
        catalogue(connection).add_event(event)
        book = connection.root()["book"] = Book("3")
        connection.add(book)
        for action, position in (("created", 100), ("deleted", 10_000_000_000)):
            manager.add(position, ActionWrapper(position, book, [action], "3"))
            connection.transaction_manager.commit()
            assert Deliverer(database, agent.getId()).deliver(None).outcome == UP_TO_DATE
            connection.sync()

    return told


def bulk(*outcomes):
    items = [{action: {"status": 200}} for action in outcomes]
    return 200, {}, json.dumps({"items": items}).encode()


def test_a_search_engine_keeps_the_event_when_the_book_goes(told, target):
    target.answers = [bulk("index", "index", "index"), bulk("delete")]
    told(OpenSearchAgent("a", "A", "", 60, url=target.url))

    about = [json.loads(line) for body in target.bodies for line in body.splitlines()]
    named = [next(iter(one.items())) for one in about if {"index", "delete"} & one.keys()]
    ids = [(action, each["_id"]) for action, each in named]
    assert sorted(ids[:3]) == [("index", "3"), ("index", "3.1"), ("index", f"{KIND}:3")]
    assert ids[3:] == [("delete", f"{KIND}:3")]


def test_a_table_keeps_the_event_when_the_book_goes(told, postgres_uri):
    told(PostgresAgent("a", "A", "", 60, dsn=postgres_uri, table="things"))
    found = query(postgres_uri, "SELECT id, document->>'type' FROM things ORDER BY id")
    assert found == [("3", "event"), ("3.1", "contribution")]


def test_a_webhook_is_told_the_type_of_what_is_deleted(told, target):
    told(WebhookAgent("a", "A", "", 60, url=target.url))
    records = [record for body in target.bodies for record in json.loads(body)["records"]]

    (gone,) = (one for one in records if one["status"] == "deleted")
    assert (gone["type"], gone["id"]) == (KIND, "3")
    assert len({one["key"] for one in records}) == len(records)


def test_in_marcxml_the_record_of_the_event_stays(told, target):
    target.answers = [(200, {}, b"[INFO] x")] * 2
    told(InvenioBatchUploaderAgent("a", "A", "", 60, url=target.url))

    assert f"INDICO.{KIND}:3<".encode() in target.bodies[-1]
    assert b"INDICO.3<" not in target.bodies[-1]


@pytest.mark.parametrize("format", ["json", "marcxml"])
def test_a_folder_lists_the_event_when_the_book_is_gone(told, manager, tmp_path, format, database):
    told(FolderAgent("a", "A", "", 60, folder=tmp_path / "out", format=format))

    assert sorted(name for name, _ in manager.getAgent("a").listed()) == ["3", "3.1"]
    assert Verification(database, "a").run().differences == []


@pytest.fixture
def documents(manager, connection, commit, database, listening, register, tmp_path):
    """Deliver an event with a talk to a folder; return what its files tell, as one text."""

    def documents(format):
        register(FolderAgent("a", "A", "", 60, folder=tmp_path / "out", format=format))
        event = Conference("3", "An event")
        event.addContribution(Contribution("1", "A talk"))
        catalogue(connection).add_event(event)
        commit()
        assert Deliverer(database, "a").deliver(None).outcome == UP_TO_DATE
        return "".join(file.read_text() for file in (tmp_path / "out").iterdir())

    return documents


@pytest.mark.parametrize("address", [HERE, f"{HERE}/"])
@pytest.mark.parametrize("format", ["json", "marcxml"])
def test_records_have_the_address_that_the_export_has(documents, database, format, address):
    make_app(database, {"base_url": address}).close()
    text = documents(format)

    assert f"{HERE}/event/3/" in text
    assert f"{HERE}/event/3/contribution/1" in text
    assert '"/event' not in text
    assert ">/event" not in text


def test_the_export_has_the_address_that_is_kept(database, connection):
    make_app(database, {"base_url": HERE}).close()

    assert make_app(database).settings.base_url == HERE


def test_an_address_that_is_kept_is_not_written_again(database):
    make_app(database, {"base_url": HERE}).close()
    before = database.lastTransaction()
    make_app(database, {"base_url": HERE}).close()

    assert database.lastTransaction() == before


def test_a_text_that_is_no_address_is_refused(database):
    with pytest.raises(ExportConfigurationException, match="must be an address"):
        make_app(database, {"base_url": "talks.example.org"})


def test_the_address_is_printed_and_set_at_the_command_line(tmp_path, capsys):
    where = ["--database", f"file://{tmp_path}/cli.fs"]
    open_database(where[1]).close()

    assert main.main(["address", *where]) == 0
    assert "no address is known" in capsys.readouterr().out
    assert main.main(["address", HERE, *where]) == 0
    assert main.main(["address", *where]) == 0
    assert capsys.readouterr().out == f"{HERE}\n" * 2
    assert main.main(["address", "nowhere", *where]) == 1
    assert "must be an address" in capsys.readouterr().err
