"""What is posted: forms and JSON, one transaction for each request (reference 5.1)."""

from __future__ import annotations

import threading

import pytest
from werkzeug.test import Client
from ZODB.POSException import ConflictError

from export.app import make_app
from export.auth.api_keys import key_ring
from export.errors import RefusedRequest
from export.http.request import LARGEST
from export.http.result import ResultPage
from export.model.catalogue import catalogue
from export.registered import register, unregister
from export.resource import WRITE, Resource
from export.signature import build_indico_request
from scheduler.store import current, transact
from tests.export.planting import error, plant

PATH = "/api/title.json"


def retitle(question):
    """A resource that writes: it gives the event a title, and refuses the title `bad`."""
    request = question.request
    event = catalogue().event("137346")
    event.setTitle(request.take("title") or "none")
    if event.getTitle() == "bad":
        raise RefusedRequest("not that")
    return ResultPage({"title": event.getTitle(), "by": question.user})


@pytest.fixture
def serve():
    """What lets a function answer what is posted to an address."""
    added = []

    def add(address, answer, formats=("json",)):
        added.append(Resource(address, (address,), answer, WRITE, formats, "POST"))
        register(added[-1])

    yield add
    unregister(*added)


@pytest.fixture
def writing(database, serve):
    transact(database, plant)
    serve("/api/title.<word:format>", retitle, ("json", "xml"))
    return Client(make_app(database))


def title(database):
    return transact(database, lambda connection: catalogue(connection).event("137346").getTitle())


@pytest.mark.parametrize(
    "sent",
    [
        {"data": {"title": "New"}},
        {"data": "title=New&title=Old", "content_type": "application/x-www-form-urlencoded"},
        {"data": {"title": "New"}, "content_type": "multipart/form-data"},
        {"json": {"title": "New"}},
        {"query_string": {"title": "New"}},
        {"query_string": {"title": "Old"}, "data": {"title": "New"}},
    ],
    ids=["form", "text", "multipart", "json", "address", "both"],
)
def test_parameters_are_read_from_what_is_posted(writing, database, sent):
    answer = writing.post(PATH, **sent)
    assert answer.json["results"] == {"title": "New", "by": None}
    assert title(database) == "New"
    assert answer.json["url"] == "/api/title.json"


def test_a_refused_request_changes_nothing(writing, database):
    answer = writing.post(PATH, data={"title": "bad"})
    assert (answer.status_code, answer.json["message"]) == (403, "not that")
    assert title(database) == "Export Test"


def test_an_address_that_writes_takes_nothing_but_post(writing):
    assert error(writing, PATH) == (405, "This action requires POST")
    answer = writing.put(PATH)
    assert (answer.status_code, answer.headers["Allow"]) == (405, "POST, OPTIONS")


def test_the_body_is_signed_like_a_query(writing, database):
    made = transact(database, lambda connection: key_ring(connection).create("ann"))
    _, _, query = build_indico_request(PATH, {"title": "A b&c"}, made.key, made.secret).partition(
        "?"
    )
    form = {"content_type": "application/x-www-form-urlencoded"}
    assert writing.post(PATH, data=query, **form).json["results"]["by"] == "ann"
    forged = writing.post(PATH, data=query.replace("A+b", "A+x"), **form)
    assert forged.status_code == 403
    assert forged.json["message"].startswith("Signature invalid: sign '/api/title.json?")


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"{", "application/json", 400),
        (b"[1]", "application/json", 400),
        (b"\xff\xfe", "application/json", 400),
        (b"[" * 100_000, "application/json", 400),
        (rb'{"title": "\ud83d"}', "application/json", 400),
        (b'{"title": 1e999}', "application/json", 400),
        (b'{"title": ' + b"9" * 5000 + b"}", "application/json", 400),
        (b"<title>New</title>", "text/xml", 415),
        (b"title=New", "", 415),
        (b"x" * (LARGEST + 1), "application/json", 413),
        (b"title=" + b"x" * (LARGEST + 1), "application/x-www-form-urlencoded", 413),
    ],
    ids=[
        "json",
        "list",
        "bytes",
        "deep",
        "half",
        "endless",
        "huge",
        "xml",
        "unnamed",
        "large",
        "large form",
    ],
)
def test_a_body_that_cannot_be_read_is_refused(writing, database, body, kind, status):
    answer = writing.post(PATH, data=body, content_type=kind)
    assert (answer.status_code, answer.json["_type"]) == (status, "HTTPAPIError")
    assert title(database) == "Export Test"


def test_requests_that_write_at_a_time_are_done_one_after_the_other(database, serve):
    def add(question):
        root = current().root()
        root["count"] = root.get("count", 0) + 1
        return ResultPage([root["count"]])

    serve("/api/add", add)
    writing = Client(make_app(database))
    clients = [threading.Thread(target=lambda: writing.post("/api/add")) for _ in range(4)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    assert writing.post("/api/add").json["results"] == [5]


def test_a_conflict_that_does_not_end_is_told(database, serve):
    def meet(question):
        raise ConflictError

    serve("/api/meet", meet)
    answer = Client(make_app(database)).post("/api/meet")
    assert answer.status_code == 500
    assert answer.json["message"] == "An unresolvable database conflict has occured"
