"""Categories: the tree that events are found in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from BTrees.OOBTree import OOBTree

from export.model.entry import EVERYWHERE, Entry
from export.model.event_index import EventIndex


class Category(Entry):
    """A place for events and further categories; the catalogue puts them there."""

    STANDS_ALONE = True
    TITLE_CHANGED = "categoryTitleChanged"
    is_secret: bool = False
    """Whether it is closed only because imports have told it for nothing but closed events."""

    visibility: int = EVERYWHERE
    """How many categories up its events are listed: 0 for nowhere, 1 for this one only."""

    index: EventIndex
    """The index of the events of the whole catalogue."""

    def __init__(self, id: str, title: str = "", description: str = "") -> None:
        super().__init__(id, title, description)
        self.subcategories = OOBTree()
        self.conferences = OOBTree()

    def getName(self) -> str:
        """Return the title."""
        return self._title

    def getURL(self) -> str:
        """Return the path of its page on this installation."""
        return f"/category/{self._id}/"

    def getSubCategoryList(self) -> list[Category]:
        """Return the categories directly in this one."""
        return list(self.subcategories.values())

    def getConferenceList(self) -> list[Any]:
        """Return the events directly in this category."""
        return list(self.conferences.values())

    def below(self) -> Iterator[Any]:
        """Yield the categories and the events directly in this one, however many, one by one."""
        yield from self.subcategories.values()
        yield from self.conferences.values()

    def all_events(self) -> Iterator[Any]:
        """Yield the events in this category and in those below it."""
        for category in self.subcategories.values():
            yield from category.all_events()
        yield from self.conferences.values()

    def getCategoryPath(self) -> list[Category]:
        """Return the categories from this one up to the root."""
        return [self, *(self._owner.getCategoryPath() if self._owner is not None else ())]
