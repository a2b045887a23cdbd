"""Anybody's objects are served in every format, with the rules of their collection.

Covers `export.http.parameter`, `export.http.question`, `export.registered`, `export.resource`,
`export.routing`.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from pathlib import Path

import feedparser
import pytest
from icalendar import Calendar
from lxml import etree
from persistent import Persistent
from persistent.mapping import PersistentMapping
from werkzeug.test import Client

from export.app import make_app
from export.auth.tokens import tokens
from export.collection import Collection
from export.errors import ExportConfigurationException
from export.fossilize import IFossil
from export.http.parameter import Parameter
from export.registered import register, unregister
from export.resource import Resource
from scheduler.store import current, transact


class Book(Persistent):
    def __init__(self, number, title, author, published, is_secret=False):
        self.id, self.title, self.author = number, title, author
        self.published, self.is_secret = published, is_secret


class Shelved(Book):
    """A book with getters."""

    def getTitle(self):
        return self.title

    def getAuthor(self):
        return self.author

    def getPublished(self):
        return self.published

    def isLocked(self):
        return self.is_secret


class IBookFossil(IFossil):
    def id(): ...
    def title(): ...
    def author(): ...
    def published(): ...

    published.name = "startDate"


class ITitleFossil(IFossil):
    def title(): ...


class Books(Collection):
    """Books of the library."""

    address = "/export/book"
    details = {"full": IBookFossil, "title": ITitleFossil}
    formats = ("json", "jsonp", "xml", "html", "atom", "ics")
    parameters = (
        Parameter("author", "The author.", accepts=lambda book, name: book.author == name),
    )
    limits = {"full": 3}

    def members(self):
        return current().root()["books"].values()

    def find(self, id):
        return current().root()["books"].get(id)

    def starts(self, book):
        return book.published

    def allows(self, book, user):
        return not book.is_secret or user is not None


def plant(connection):
    found = connection.root()["books"] = PersistentMapping()
    for book in (
        Book("1", "The Dune <b>", "Herbert", date(1965, 8, 1)),
        Book("2", "The Sea of Dunes", "Nobody", datetime(2001, 2, 3, 4, 5, tzinfo=UTC)),
        Book("3-a", "Hush", "Nobody", date(2020, 1, 1), is_secret=True),
    ):
        found[book.id] = book
    return tokens(connection).create("ann", "all", ["read:legacy_api"])[1]


@pytest.fixture
def token(database):
    return transact(database, plant)


@pytest.fixture
def library(database, token):
    return Client(make_app(database, {"base_url": "https://x.example"}, resources=[Books]))


def titles(answer):
    assert answer.status_code == 200, answer.json
    return [each["title"] for each in answer.json["results"]]


def test_the_document_shows_a_collection_that_works(database):
    text = (Path(__file__).parents[2] / "docs" / "resources.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    shown = {"__name__": "library"}
    exec(code, shown)  # noqa: S102 (it is the document's)

    client = Client(shown["application"](database))
    with client.application.database.transaction() as connection:
        books = connection.root()["books"] = PersistentMapping()
        books["1"] = Shelved("1", "The Sea", "Ann", date(2001, 2, 3))
        books["2"] = Shelved("2", "The Sky", "Ann", date(2001, 2, 3), is_secret=True)
    assert titles(client.get("/export/book.json?author=Ann")) == ["The Sea"]
    for kind in shown["Books"].formats:
        for address in ("book", "book/1", "book/search/sea"):
            assert b"The Sea" in client.get(f"/export/{address}.{kind}").data


def test_all_of_them_are_listed_but_those_that_the_rule_hides(library, token):
    assert titles(library.get("/export/book.json")) == ["The Dune <b>", "The Sea of Dunes"]
    headers = {"Authorization": f"Bearer {token}"}
    assert "Hush" in titles(library.get("/export/book.json", headers=headers))


@pytest.mark.parametrize(
    ("address", "found"),
    [
        ("/export/book/2-1.json", ["The Sea of Dunes", "The Dune <b>"]),
        ("/export/book/1-9-3.json", ["The Dune <b>"]),
        ("/export/book/search/dune the.json", ["The Dune <b>", "The Sea of Dunes"]),
        ("/export/book/search/sea.json", ["The Sea of Dunes"]),
        ("/export/book.json?author=Nobody", ["The Sea of Dunes"]),
        ("/export/book.json?from=2000-01-01", ["The Sea of Dunes"]),
        ("/export/book.json?to=2000-01-01", ["The Dune <b>"]),
        ("/export/book.json?o=start", ["The Sea of Dunes", "The Dune <b>"]),
        ("/export/book.json?o=title&c=yes", ["The Sea of Dunes", "The Dune <b>"]),
        ("/export/book.json?o=id&n=1&O=1", ["The Sea of Dunes"]),
        ("/export/book.json?detail=title", ["The Dune <b>", "The Sea of Dunes"]),
    ],
)
def test_a_part_of_them_is_found(library, address, found):
    assert sorted(titles(library.get(address))) == sorted(found)


@pytest.mark.parametrize("address", ["/export/book/9.json", "/export/book/3-a.json"])
def test_a_single_one_that_is_not_there_for_the_caller_is_unknown(library, address):
    assert library.get(address).status_code == 404


def test_an_id_may_have_a_separator_in_it(library, token):
    answer = library.get("/export/book/3-a.json", headers={"Authorization": f"Bearer {token}"})
    assert titles(answer) == ["Hush"]


@pytest.mark.parametrize("query", ["detail=x", "limit=4", "offset=-1", "tz=Nowhere", "from=x"])
def test_parameters_are_checked(library, query):
    assert library.get(f"/export/book.json?{query}").status_code == 400


def test_every_format_tells_them(library):
    assert etree.fromstring(library.get("/export/book.xml").data).findtext(".//author") == "Herbert"
    assert "The Dune &lt;b&gt;" in library.get("/export/book.html").text
    feed = feedparser.parse(library.get("/export/book.atom").data)
    assert not feed.bozo
    assert [each.id for each in feed.entries] == [
        "https://x.example/export/book/1",
        "https://x.example/export/book/2",
    ]
    calendar = Calendar.from_ical(library.get("/export/book.ics").data)
    assert [str(each["uid"]) for each in calendar.events] == [
        "book-1@x.example",
        "book-2@x.example",
    ]


def test_a_caller_that_has_an_answer_is_not_sent_it_again(library, database):
    etag = library.get("/export/book.json").headers["ETag"]
    again = library.get("/export/book.json", headers={"If-None-Match": etag})
    assert again.status_code == 304
    transact(database, lambda connection: setattr(connection.root()["books"]["1"], "title", "B"))
    again = library.get("/export/book.json", headers={"If-None-Match": etag})
    assert again.status_code == 200


def test_an_object_without_a_rule_is_shown_to_nobody(database, token):
    class Open(Books):
        allows = Collection.allows

    client = Client(make_app(database, resources=[Open()]))
    assert titles(client.get("/export/book.json")) == []


def test_a_registered_resource_is_served_by_every_application_from_now_on(database, token):
    register(Books)
    try:
        assert Client(make_app(database)).get("/export/book/1.json").status_code == 200
    finally:
        unregister(Books)
    assert Client(make_app(database)).get("/export/book/1.json").status_code == 404


def test_an_address_that_is_taken_is_refused_with_both_names(database):
    taken = Resource("mine", ("/export/event/<words:ids>.<word:form>",), lambda question: None)
    with pytest.raises(ExportConfigurationException, match="'events' and 'mine' both answer GET"):
        make_app(database, resources=[taken])


def test_an_object_that_is_no_resource_is_refused(database):
    with pytest.raises(ExportConfigurationException, match="is no resource"):
        make_app(database, resources=["book"])


def test_an_id_is_told_whatever_the_fossil_has(library):
    (book,) = library.get("/export/book/1.json?detail=title").json["results"]
    assert book["id"] == "1"
    assert set(book) == {"_type", "_fossil", "title", "id"}
