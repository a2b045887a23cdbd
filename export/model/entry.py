"""An entry of the catalogue: what categories, events, contributions and sessions share."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, ClassVar

from export.errors import CatalogueException
from export.model.access import Protected
from export.model.listeners import announce
from export.model.person import Person
from scheduler.clock import nowutc

BUILT_IN = {"paper", "slides", "video", "poster", "minutes"}
"""Ids of materials that are known whatever their case."""


EVERYWHERE = 999
"""How many categories up something is listed that is listed in all of them."""


class Entry(Protected):
    """An object with an id, a title and a description."""

    TITLE_CHANGED: ClassVar[str | None] = None
    materials: tuple[Any, ...] = ()
    former_places: frozenset[str] = frozenset()
    """The ids of the categories in which it lay before it was moved, and of those above."""

    def __init__(self, id: str, title: str = "", description: str = "") -> None:
        self._id = str(id)
        self._title = title
        self._description = description
        self._modified = nowutc()

    def getId(self) -> str:
        """Return the id; what it is unique in, the class says."""
        return self._id

    def set_id(self, id: str) -> None:
        """Give it another id. Raises CatalogueException where it is in the catalogue already."""
        if self.is_listed():
            raise CatalogueException(f"{self!r} is in the catalogue: its id stays")
        self._id = id

    def getTitle(self) -> str:
        """Return the title."""
        return self._title

    def setTitle(self, title: str) -> None:
        """Give it another title."""
        old, self._title = self._title, title
        if old != title:
            if self.TITLE_CHANGED:
                self.announce_change(self.TITLE_CHANGED, old, title)
            self.changed()

    def getDescription(self) -> str:
        """Return the description, which may contain HTML."""
        return self._description

    def setDescription(self, description: str) -> None:
        """Give it another description."""
        self.update(_description=description)

    def update(self, **values: Any) -> None:
        """Set attributes, and announce that once if anything is different."""
        changed = {
            name: value for name, value in values.items() if getattr(self, name, None) != value
        }
        for name, value in changed.items():
            setattr(self, name, value)
        if changed:
            self.changed()

    def getMaterialList(self) -> list[Any]:
        """Return the materials, by title."""
        return sorted(self.materials, key=lambda material: str(material.getTitle()))

    def add_material(self, material: Any) -> None:
        """Take *material* in. Raises CatalogueException where its id is taken."""
        if self.find_material(material.getId()) is not None:
            raise CatalogueException(f"{self!r} has a material {material.getId()} already")
        self.update(materials=(*self.materials, *own_all(self, (material,))))

    def remove_material(self, material: Any) -> None:
        """Take *material* out."""
        self.update(materials=tuple(other for other in self.materials if other is not material))
        material.setOwner(None)

    def find_material(self, material_id: str) -> Any:
        """Return the material of that id, or None; built-in ones whatever the case."""
        for material in self.materials:
            own = str(material.getId())
            if material_id == own or material_id.lower() == own.lower() in BUILT_IN:
                return material
        return None

    def note_former_place(self, owner: Any) -> None:
        """Note that it was moved away from *owner*, a category."""
        self.former_places |= {category.getId() for category in owner.getCategoryPath()}

    def parts(self) -> list[Entry]:
        """Return what is directly in this one, and comes and goes with it."""
        return []

    def announce_arrival(self) -> None:
        """Announce that this object is in the catalogue from now on, and its parts with it."""
        if self.is_listed():
            announce("created", self, self._owner)
            for part in self.parts():
                part.announce_arrival()

    def announce_removal(self) -> None:
        """Announce that this object is about to leave the catalogue, and its parts with it."""
        if self.is_listed():
            for part in self.parts():
                part.announce_removal()
            announce("deleted", self, self._owner)

    def changed(self) -> None:
        """Announce that something of this object is different now."""
        self._modified = nowutc()
        self.announce_change("infoChanged")

    def getModificationDate(self) -> datetime:
        """Return when its own data was changed last."""
        return self._modified

    def set_modification_date(self, modified: datetime) -> None:
        """Set when it was changed last, as the source of an import tells; later changes count."""
        self._modified = modified

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._id}>"


class Placed(Entry):
    """An entry with a time and a place; the place is its owner's where it has none.

    The attributes `location`, `room`, `address` are texts or None; change them with `update`.
    """

    location: str | None = None
    room: str | None = None
    room_full_name: str | None = None
    address: str | None = None
    url: str | None = None
    """The page, where it is not this installation's."""
    _start: datetime | None = None
    _end: datetime | None = None
    folders: tuple[Any, ...] = ()

    def getStartDate(self) -> datetime | None:
        """Return the beginning as an aware datetime; None while it is not scheduled."""
        return self._start

    def getEndDate(self) -> datetime | None:
        """Return the end as an aware datetime; None while it is not scheduled."""
        return self._end

    def setDates(self, start: datetime | None, end: datetime | None) -> None:
        """Schedule it; both are aware, or None. Raises ValueError for an end before the start."""
        if start is not None and end is not None and end < start:
            raise ValueError(f"{self.getTitle()!r} would end ({end}) before it starts ({start})")
        self.update(_start=start, _end=end)

    def getLocation(self) -> str | None:
        """Return the name of the place."""
        return self._inherited("location")

    def getRoom(self) -> str | None:
        """Return the name of the room."""
        return self._inherited("room")

    def getRoomFullName(self) -> str | None:
        """Return the full name of the room, or its name."""
        return self._inherited("room_full_name", "room")

    def getAddress(self) -> str | None:
        """Return the postal address of the place."""
        return self._inherited("address")

    def places(self) -> Iterator[Placed]:
        """Yield this entry, and then those whose place it has where it has none, the next first."""
        yield self
        if isinstance(self._owner, Placed):
            yield from self._owner.places()

    def may_reveal(self, place: Placed) -> bool:
        """Say whether who may see this entry may know what *place* has."""
        return True

    def _inherited(self, *attributes: str) -> str | None:
        for place in self.places():
            values: Iterator[str | None] = (getattr(place, name) for name in attributes)
            found = next((value for value in values if value is not None), None)
            if found is not None:
                return found if self.may_reveal(place) else None
        return None


def own_all(owner: Any, parts: tuple[Any, ...]) -> tuple[Any, ...]:
    """Make *owner* the owner of all *parts*, and return them."""
    for part in parts:
        part.setOwner(owner)
    return parts


def natural(name: str) -> tuple[int, str]:
    """Return a sort key for ids: numbers by their value, before them what is no number."""
    return (int(name) if name.isascii() and name.isdigit() and len(name) < 20 else 0, name)


Persons = tuple[Person, ...]
