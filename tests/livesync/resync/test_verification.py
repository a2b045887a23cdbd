"""Whether a target has what the database has, told exactly while others write."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager

import pytest
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

from export.model import listeners
from export.model.catalogue import catalogue
from export.model.conference import Conference
from export.model.contribution import Contribution
from livesync import SyncManager
from livesync.agents.folder import FolderAgent
from livesync.agents.invenio import InvenioBatchUploaderAgent
from livesync.agents.postgres import PostgresAgent
from livesync.agents.webhook import WebhookAgent, sign
from livesync.components import ObjectChangeListener
from livesync.delivery.deliverer import Deliverer
from livesync.errors import AgentExecutionException
from livesync.resync.verification import Verification
from tests.postgres import query
from tests.serving import serving


@contextmanager
def answering(answer):
    """Serve what *answer* says to each request; give the address."""

    @Request.application
    def application(request):
        status, body = answer(request)
        return Response(body, status)

    server = make_server("127.0.0.1", 0, application)
    with serving(server):
        yield f"http://127.0.0.1:{server.server_port}"


@pytest.fixture
def events(connection, commit):
    """The catalogue with three events, one of them with a contribution."""
    listener = ObjectChangeListener()
    listeners.subscribe(listener)
    found = catalogue(connection)
    for number in range(3):
        found.add_event(Conference(str(number), f"title {number}"))
    found.event("0").addContribution(Contribution("1", "a talk"))
    commit()
    yield found
    listeners.unsubscribe(listener)


@pytest.fixture(params=["folder", "marcxml", "postgres"])
def agent(request, events, commit, tmp_path, postgres_uri):
    """An agent that has delivered everything."""
    common = ("a", "", "", 1)
    if request.param == "postgres":
        agent = PostgresAgent(*common, dsn=postgres_uri, table=f"t{abs(hash(tmp_path))}")
    else:
        kind = request.param if request.param == "marcxml" else "json"
        agent = FolderAgent(*common, folder=tmp_path / "feed", format=kind)
    SyncManager.getDBInstance().registerNewAgent(agent)
    commit()
    return agent


@pytest.fixture
def delivered(agent, database):
    Deliverer(database, "a").deliver(None)
    return agent


def verify(database, **options):
    return Verification(database, "a").run(**options)


def found(verified):
    return sorted(verified.differences)


def test_a_target_that_has_everything_is_as_it_should(database, delivered):
    verified = verify(database)
    assert verified == (4, 0, [], 0)


def test_an_undelivered_change_is_no_difference(database, delivered, events, commit):
    events.event("1").setTitle("new")
    events.remove_event(events.event("2"))
    commit()
    assert verify(database) == (2, 2, [], 0)


def change_behind_its_back(events, commit, listener=None):
    """Change, add and remove without anybody recording it."""
    (heard,) = [each for each in listeners._listeners if isinstance(each, ObjectChangeListener)]
    listeners.unsubscribe(heard)
    events.event("1").setTitle("new")
    events.add_event(Conference("9", "added"))
    events.remove_event(events.event("2"))
    commit()
    listeners.subscribe(heard)


def test_differences_are_found(database, delivered, events, commit):
    change_behind_its_back(events, commit)
    assert found(verify(database)) == [("1", "different"), ("2", "extra"), ("9", "missing")]


def test_only_what_differs_is_repaired(database, delivered, events, commit):
    change_behind_its_back(events, commit)
    before = delivered.delivery_state.delivered
    assert verify(database, repair=True).repaired == 3
    assert verify(database).differences == []
    commit()
    assert delivered.delivery_state.delivered == before + 3


def test_a_verification_is_exact_while_others_write(database, delivered, open_connection):
    stop = threading.Event()

    def write():
        connection = open_connection()
        number = 0
        while not stop.is_set():
            number += 1
            connection.transaction_manager.begin()
            catalogue(connection).event(str(number % 3)).setTitle(f"title {number}")
            connection.transaction_manager.commit()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(10):
            assert verify(database).differences == []
            Deliverer(database, "a").deliver(None)
    finally:
        stop.set()
        writer.join()


def test_rows_of_other_applications_are_left_alone(database, events, commit, postgres_uri):
    SyncManager.getDBInstance().registerNewAgent(
        PostgresAgent("a", "", "", 1, dsn=postgres_uri, table="of_others")
    )
    commit()
    Deliverer(database, "a").deliver(None)
    document = json.dumps({"id": "book", "type": "library.Book"})
    query(postgres_uri, "INSERT INTO of_others VALUES ('book', 'k', %s)", document)
    assert verify(database).differences == []


def test_an_agent_whose_target_cannot_be_listed_is_refused(database, events, commit):
    agent = InvenioBatchUploaderAgent("a", "", "", 1, url="http://127.0.0.1:1")
    SyncManager.getDBInstance().registerNewAgent(agent)
    commit()
    with pytest.raises(AgentExecutionException, match="cannot be listed"):
        verify(database)


def test_a_webhook_s_listing_is_read_page_by_page(database, events, commit):
    kept, asked = {}, []

    def answer(request):
        if request.method == "POST":
            for told in json.loads(request.data)["records"]:
                kept[told["id"]] = told
            return 200, b""
        stamp = request.headers["X-Livesync-Timestamp"]
        assert request.headers["X-Livesync-Signature"] == sign("s", stamp, b"")
        asked.append(request.full_path)
        start = int(request.args.get("start", 0))
        page = {"records": sorted(kept.values(), key=lambda told: told["id"])[start : start + 2]}
        if start + 2 < len(kept):
            page["next"] = f"/list?start={start + 2}"
        return 200, json.dumps(page).encode()

    with answering(answer) as url:
        agent = WebhookAgent("a", "", "", 1, url=f"{url}/in", secret="s", list_url="/list")
        SyncManager.getDBInstance().registerNewAgent(agent)
        commit()
        Deliverer(database, "a").deliver(None)
        assert verify(database) == (4, 0, [], 0)
        assert len(asked) == 2
        del kept["1"]
        assert found(verify(database, repair=True)) == [("1", "missing")]
        assert sorted(kept) == ["0", "0.1", "1", "2"]
