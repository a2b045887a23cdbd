"""An application that knows nothing of livesync: its classes, and a task."""

from __future__ import annotations

from persistent import Persistent

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
