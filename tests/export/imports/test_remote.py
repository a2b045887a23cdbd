"""A live server's answers are asked for page by page."""

from __future__ import annotations

import gzip
import threading
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
import waitress.server
import ZODB
from waitress import wasyncore

from export.app import make_app
from export.auth.tokens import tokens
from export.imports import remote
from export.imports.loader import load
from export.imports.source import items_of
from export.model.access import Protection
from export.model.catalogue import catalogue
from export.model.category import Category
from export.model.conference import Conference
from export.people.user import Avatar, users
from scheduler.store import transact

START = datetime(2026, 3, 1, 9, tzinfo=UTC)


@contextmanager
def serving(application):
    sockets = {}
    server = waitress.server.create_server(application, map=sockets, host="127.0.0.1", port=0)
    ended = threading.Event()

    def serve():
        while not ended.is_set():
            wasyncore.loop(timeout=1, map=sockets, use_poll=True, count=1)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.effective_port}"
    finally:
        ended.set()
        server.pull_trigger()
        thread.join()
        server.task_dispatcher.shutdown()
        wasyncore.close_all(sockets)


@pytest.fixture
def live():
    """The address of a server with 25 events, and its database."""
    database = ZODB.DB(None)

    def plant(connection):
        found = catalogue(connection)
        found.add_category(Category("3", "Courses"))
        found.add_category(Category("5", "Schools"), found.category("3"))
        for number in range(25):
            event = Conference(str(number), f"School {number}")
            event.setDates(START, START + timedelta(days=number))
            found.add_event(event, found.category("5"))
        event.setProtection(Protection.RESTRICTED)
        event.grant_access("7")
        users(connection).add(Avatar("7", "Ann", "Bell", "ann@example.org"))

    transact(database, plant)
    with serving(make_app(database)) as address:
        yield address, database
    database.close()


def load_all(database, source):
    return [problem for done in load(database, items_of(source)) for problem in done.problems]


@pytest.mark.parametrize("path", ["/export/categ/3.json", "/category/3/"])
def test_a_category_is_taken_over_page_by_page(live, database, monkeypatch, path):
    address, _ = live
    monkeypatch.setattr(remote, "PAGE", 10)
    assert load_all(database, address + path) == []

    def look(connection):
        found = catalogue(connection)
        assert sorted(found.events, key=int) == [str(number) for number in range(24)]
        assert [step.getId() for step in found.event("7").getOwner().getCategoryPath()] == [
            *("5", "3", "0")
        ]

    transact(database, look)


@pytest.mark.parametrize(
    ("asked", "numbers"),
    [
        ("limit=3", range(3)),
        ("n=12", range(12)),
        ("limit=4&offset=9", range(9, 13)),
        ("O=22", range(22, 24)),
    ],
)
def test_a_limit_and_an_offset_in_the_address_are_respected(
    live, database, monkeypatch, asked, numbers
):
    address, _ = live
    monkeypatch.setattr(remote, "PAGE", 10)
    assert load_all(database, f"{address}/export/categ/3.json?{asked}") == []
    found = transact(database, lambda c: sorted(map(int, catalogue(c).events)))
    assert found == list(numbers)


def test_a_token_in_an_address_is_not_told_and_its_answer_is_not_taken_for_public(live, database):
    address, _ = live
    asked = f"{address}/export/event/7.json?ak=hush&access_token=hush2"
    items = list(items_of(asked))
    assert [item.is_public for item in items] == [False]
    assert not any("hush" in item.source for item in items)
    assert all(item.is_public for item in items_of(f"{address}/event/7/"))


def answering(body, *headers):
    def application(environ, start):
        start("200 OK", [("Content-Length", str(len(body))), *headers])
        return [body]

    return application


def test_an_answer_is_unpacked_up_to_a_limit(database, monkeypatch):
    monkeypatch.setattr(remote, "LARGEST", 1 << 20)
    bomb = gzip.compress(b'{"results": [' + b" " * (4 << 20) + b"]}")
    with serving(answering(bomb, ("Content-Encoding", "gzip"))) as address:
        (problem,) = load_all(database, f"{address}/event/1")
    assert problem.endswith("page 1: the answer has more than 1 MB, unpacked")


def test_an_answer_with_too_many_objects_is_refused(database, monkeypatch):
    monkeypatch.setattr(remote, "MOST", 1000)
    with serving(answering(b'{"results": [' + b"{}," * 1000 + b"{}]}")) as address:
        (problem,) = load_all(database, f"{address}/event/1")
    assert problem.endswith("the answer has more than 1000 objects and lists")


def test_a_page_that_is_too_large_is_asked_for_in_parts(live, database, monkeypatch):
    address, _ = live
    monkeypatch.setattr(remote, "LARGEST", 8 << 10)
    assert load_all(database, f"{address}/category/3/") == []
    assert transact(database, lambda c: len(catalogue(c).events)) == 24


def test_closed_events_are_taken_over_with_a_token(live, database, monkeypatch):
    address, origin = live
    scopes = ["read:legacy_api"]
    text = transact(origin, lambda c: tokens(c).create("7", "import", scopes)[1])
    (problem,) = load_all(database, f"{address}/export/event/24.json")
    assert problem.endswith("there is nothing in it, or nothing that is public")
    monkeypatch.setenv(remote.TOKEN, text)
    assert load_all(database, f"{address}/export/event/24.json") == []
    assert transact(database, lambda c: catalogue(c).event("24").isProtected())


def test_an_event_is_taken_over_by_the_address_of_its_page(live, database):
    address, _ = live
    assert load_all(database, f"{address}/event/7/") == []
    assert transact(database, lambda c: catalogue(c).event("7").getTitle()) == "School 7"


def test_a_fault_of_an_answer_is_told(live, database):
    address, _ = live
    assert load_all(database, f"{address}/export/categ/3.json?tz=Mars") == [
        f"{address}/export/categ/3.json?tz=Mars: page 1: answered 400: Bad timezone: 'Mars'"
    ]
    (problem,) = load_all(database, "http://127.0.0.1:1/event/7/")
    assert "page 1: no answer" in problem
    (problem,) = load_all(database, "http://a:b/")
    assert "no address" in problem


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"<html>", "page 1: answered 200, and no JSON"),
        (b"[]", "page 1 is []; it must be an object"),
        (b'{"results": 3}', "page 1.results is 3; it must be list"),
        (b'{"results": [null]}', "page 2: the server repeats the page before"),
    ],
)
def test_a_page_that_is_no_answer_ends_the_import_and_is_told(database, monkeypatch, body, told):
    monkeypatch.setattr(remote, "PAGE", 1)
    with serving(answering(body)) as address:
        assert load_all(database, f"{address}/event/1")[-1].endswith(told)
