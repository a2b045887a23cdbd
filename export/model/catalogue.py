"""The catalogue: every category and every event of the database, by id."""

from __future__ import annotations

from BTrees.OOBTree import OOBTree
from persistent import Persistent
from ZODB.Connection import Connection

from export.errors import CatalogueException
from export.model.category import Category
from export.model.conference import Conference
from export.model.event_index import EventIndex
from export.model.listeners import announce
from export.model.ticket_index import SCHEMA as TICKETS
from scheduler.store import Schema, connection_of

ROOT = "0"
EVENTS_BETWEEN_SWEEPS = 100


class Catalogue(Persistent):
    """The categories, with the root "0" that all are in, the events, and their index.

    Adding different events merges; it conflicts only when a tree's bucket splits, or when
    both titles bring a word, or three letters of one, that are new. The later transaction is
    then done again.
    """

    def __init__(self) -> None:
        self.index = EventIndex()
        self.categories = OOBTree({ROOT: Category(ROOT, "Home")})
        self.root.index = self.index
        self.events = OOBTree()

    @property
    def root(self) -> Category:
        """The category that all others are in."""
        found: Category = self.categories[ROOT]
        return found

    def category(self, category_id: str) -> Category | None:
        """Return the category of that id, or None."""
        found: Category | None = self.categories.get(category_id)
        return found

    def event(self, event_id: str) -> Conference | None:
        """Return the event of that id, or None."""
        found: Conference | None = self.events.get(event_id)
        return found

    def add_category(self, category: Category, parent: Category | None = None) -> None:
        """Put *category* into *parent*, or into the root. Raises CatalogueException."""
        parent = parent if parent is not None else self.root
        if category.getId() in self.categories:
            raise CatalogueException(f"there is a category {category.getId()} already")
        self.categories[category.getId()] = category
        parent.subcategories[category.getId()] = category
        category.setOwner(parent)
        category.index = self.index
        category.announce_arrival()

    def remove_category(self, category: Category) -> None:
        """Take an empty *category* out. Raises CatalogueException for one that is not empty."""
        if category.subcategories or category.conferences or category.getOwner() is None:
            raise CatalogueException(f"the category {category.getId()} is the root, or not empty")
        category.announce_removal()
        owner = category.getOwner()
        del owner.subcategories[category.getId()]
        del self.categories[category.getId()]
        category.setOwner(None)

    def move_category(self, category: Category, parent: Category) -> None:
        """Put *category*, with all that is in it, into *parent* instead of where it is.

        Raises CatalogueException for the root, and for a parent that is in it.
        """
        before = category.getOwner()
        if before is None or category in parent.getCategoryPath():
            raise CatalogueException(f"category {category.getId()} cannot be put into itself")
        if before is parent:
            return
        del before.subcategories[category.getId()]
        parent.subcategories[category.getId()] = category
        category.setOwner(parent)
        category.note_former_place(before)
        for event in category.all_events():
            self.index.refresh(event)
        announce("moved", category, before, parent)

    def add_event(self, event: Conference, category: Category | None = None) -> None:
        """Put *event* into *category*, or into the root. Raises CatalogueException."""
        category = category if category is not None else self.root
        if event.getId() in self.events:
            raise CatalogueException(f"there is an event {event.getId()} already")
        self.events[event.getId()] = event
        category.conferences[event.getId()] = event
        event.setOwner(category)
        self.index.refresh(event)
        if event.registration is not None:
            event.registration.note_tickets()
        event.announce_arrival()

    def move_event(self, event: Conference, category: Category) -> None:
        """Put *event* into *category* instead of where it is."""
        before = event.getOwner()
        if before is not category:
            del before.conferences[event.getId()]
            category.conferences[event.getId()] = event
            event.setOwner(category)
            event.note_former_place(before)
            self.index.refresh(event)
            announce("moved", event, before, category)

    def remove_event(self, event: Conference) -> None:
        """Take *event* out, with all that is in it."""
        event.announce_removal()
        if event.registration is not None:
            event.registration.drop_tickets()
        self.index.forget(event)
        owner = event.getOwner()
        del owner.conferences[event.getId()]
        del self.events[event.getId()]
        event.setOwner(None)


SCHEMA = Schema("catalogue", 1, Catalogue)


def catalogue(connection: Connection | Persistent | None = None) -> Catalogue:
    """Return the catalogue of *connection*'s database; of the current one's for None."""
    return SCHEMA.get(connection_of(connection))


def index_tickets(connection: Connection) -> None:
    """Put those into the index of tickets who were registered before there was one."""
    tickets = TICKETS.get(connection)
    if tickets.is_complete:
        return
    for number, event in enumerate(catalogue(connection).events.values()):
        if event.registration is not None:
            event.registration.event = event
            event.registration.note_tickets()
        if number % EVENTS_BETWEEN_SWEEPS == 0:
            connection.cacheGC()
    tickets.is_complete = True
