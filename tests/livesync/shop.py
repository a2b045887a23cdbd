"""An application that knows nothing of livesync: its classes, and a task."""

from __future__ import annotations

from persistent import Persistent

from export.fossilize import IFossil
from scheduler.store import current
from scheduler.tasks import OneShotTask


class Book(Persistent):
    def __init__(self, number, title=""):
        self.number = number
        self.title = title


class Atlas(Book):
    pass


class Pencil(Persistent):
    color = "red"


class Buy(OneShotTask):
    """Puts the book *number* into the root, where it may be already."""

    def __init__(self, date, number):
        super().__init__(date)
        self.number = number

    def run(self):
        current().root()[f"book {self.number}"] = Book(self.number)


def number_of(book):
    return f"isbn-{book.number}"


def nothing_of(book):
    return None


def fails_on(book):
    raise ZeroDivisionError("no number")


def plain_number(book):
    return book.number


class Order(Persistent):
    """What the tests expose."""

    def __init__(self, number, total, owner=None):
        self.number = number
        self.total = total
        self.owner = owner

    def getTitle(self):
        return f"Order {self.number}"

    def canAccess(self, user):  # noqa: N802 (asked for by name)
        return self.owner is None or user == self.owner

    def isProtected(self):
        return self.owner is not None


class IOrderFossil(IFossil):
    """The public shape of an order."""

    def getTitle():
        """Its title."""

    def total():
        """What it comes to."""


class ITransactionFossil(IFossil):
    def transaction(): ...


class IStatusFossil(IFossil):
    """A shape with a name that records have already."""

    def getStatus():
        """What became of it."""
