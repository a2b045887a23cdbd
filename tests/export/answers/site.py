"""A site with a catalogue and books of its own, and questions about what changed there."""

from __future__ import annotations

from urllib.parse import urlsplit

from persistent import Persistent
from persistent.mapping import PersistentMapping
from werkzeug.test import Client

from export.app import make_app
from export.collection import Collection
from export.fossilize import IFossil
from export.model.catalogue import catalogue
from export.model.registration import RegistrationForm
from scheduler.store import current, transact
from tests.export.answers.random_writes import plant


class Book(Persistent):
    def __init__(self, number, title):
        self.id, self.title = number, title


class IBookFossil(IFossil):
    def id(): ...
    def title(): ...


class Books(Collection):
    """Books of the library; one by the name of a user is for that user."""

    address = "/export/book"
    details = {"basic": IBookFossil}
    formats = ("json", "xml", "atom", "ics")

    def members(self):
        return current().root().get("books", {}).values()

    def find(self, id):
        return current().root().get("books", {}).get(id)

    def allows(self, book, user):
        return user in book.title or book.title.isalpha() if user else book.title.isalpha()


class Site:
    def __init__(self, database):
        self.database = database
        self.tokens = transact(database, plant)
        self.app = make_app(database, {"base_url": "https://x.example"}, resources=[Books])
        self.put_book("0", "First")  # what the application has prepared is not undone

    def get(self, address, user=None, **more):
        headers = {} if user is None else {"Authorization": f"Bearer {self.tokens[user]}"}
        return Client(self.app).get(address, headers=headers, query_string=more or None)

    def put_book(self, number, title):
        def put(connection):
            books = connection.root().setdefault("books", PersistentMapping())
            books[number] = Book(number, title)

        transact(self.database, put)

    def drop_book(self, number):
        transact(self.database, lambda connection: connection.root()["books"].pop(number))


def path_of(address):
    parts = urlsplit(address)
    return f"{parts.path}?{parts.query}"


def pages(site, address, user):
    """Yield the answers from *address* on, page by page."""
    while address:
        answer = site.get(address, user)
        yield answer
        if answer.status_code != 200:
            return
        following = answer.headers.get("Link", "")
        address = path_of(following[1:].partition(">")[0]) if following else ""


def with_more(address, **more):
    return address + "".join(f"{'&' if '?' in address else '?'}{k}={v}" for k, v in more.items())


def rename(database, number, title):
    transact(database, lambda found: catalogue(found).event(number).setTitle(title))


def position(site, address="/export/event/20.json", user=None):
    return site.get(address, user).headers["Position"]


def since(site, address, at, user=None):
    answer = site.get(address, user, since=at)
    assert answer.status_code == 200, answer.text
    info = answer.json["additionalInfo"]
    return [one["id"] for one in answer.json["results"]], [one["id"] for one in info["vanished"]]


def register(site, number, **data):
    def make(connection):
        event = catalogue(connection).event(number)
        event.registration = event.registration or RegistrationForm()
        return event.registration.register(data).id

    return transact(site.database, make)
