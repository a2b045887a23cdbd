"""Contributions to an event, and their subcontributions."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from export.errors import CatalogueException
from export.model.access import Protection
from export.model.entry import Entry, Persons, Placed


class Contribution(Placed):
    """A talk or a poster; its id is unique in its event."""

    TITLE_CHANGED = "contributionTitleChanged"
    speakers: Persons = ()
    primary_authors: Persons = ()
    co_authors: Persons = ()
    keywords: tuple[str, ...] = ()
    track: str | None = None
    type: str | None = None
    session: Any = None
    duration: timedelta = timedelta()
    note: Any = None
    references: tuple[Any, ...] = ()
    code: str = ""
    board_number: str = ""
    db_id: int | None = None
    friendly_id: int | None = None
    subcontributions: tuple[SubContribution, ...] = ()

    def getGuard(self) -> Any:
        """Return the object whose rule holds where this one has none: session, else event."""
        return self.session if self.session is not None else self._owner

    def getSlot(self) -> Any:
        """Return the slot of its session that it is scheduled in, or None."""
        slots = self.session.slots if self.session is not None else ()
        return next((slot for slot in slots if self in slot.contributions), None)

    def places(self) -> Iterator[Placed]:
        """Yield this contribution, its slot, its session and its event, as far as there are."""
        yield self
        yield from (place for place in (self.getSlot(), self.session) if place is not None)
        if self._owner is not None:
            yield from self._owner.places()

    def may_reveal(self, place: Placed) -> bool:
        """Say whether who may see this talk may know what *place* has.

        The room of a closed session is not told by a talk in it that is open to others.
        """
        is_above = place is not self and place is not self._owner
        if not is_above or self._protection is Protection.INHERITING:
            return True
        is_closed = self.hasAnyProtection() and self.admitted() <= place.admitted()
        return is_closed or not place.hasAnyProtection()

    def parts(self) -> list[Entry]:
        """Return the subcontributions."""
        return list(self.subcontributions)

    def getConference(self) -> Any:
        """Return the event."""
        return self._owner

    def getTrack(self) -> str | None:
        """Return the title of the track."""
        return self.track

    def getUniqueId(self) -> str:
        """Return the id of the event and its own, as `12.3`."""
        return f"{self._owner.getId()}.{self._id}"

    def getKeywords(self) -> list[str]:
        """Return the keywords."""
        return list(self.keywords)

    def getURL(self) -> str:
        """Return the address of its page, or the path of one on this installation."""
        session = f"session/{self.session.getId()}/" if self.session is not None else ""
        return self.url or f"/event/{self._owner.getId()}/{session}contribution/{self._id}"

    def file_path(self) -> str:
        """Return where the addresses of its files begin."""
        return f"{self._owner.file_path()}/contrib/{self._id}"

    def getDuration(self) -> timedelta:
        """Return how long it takes."""
        return self.duration

    def getSpeakerList(self) -> list[Any]:
        """Return the speakers."""
        return list(self.speakers)

    def getPrimaryAuthorList(self) -> list[Any]:
        """Return the authors."""
        return list(self.primary_authors)

    def getCoAuthorList(self) -> list[Any]:
        """Return the co-authors."""
        return list(self.co_authors)

    def getSubContributionList(self) -> list[SubContribution]:
        """Return the subcontributions in their order."""
        return list(self.subcontributions)

    def addSubContribution(self, sub: SubContribution) -> None:
        """Append *sub*. Raises CatalogueException where its id is taken."""
        if any(other.getId() == sub.getId() for other in self.subcontributions):
            raise CatalogueException(
                f"the contribution {self._id} has a subcontribution {sub.getId()} already"
            )
        sub.setOwner(self)
        self.subcontributions += (sub,)
        sub.announce_arrival()

    def removeSubContribution(self, sub: SubContribution) -> None:
        """Take *sub* out."""
        sub.announce_removal()
        self.subcontributions = tuple(other for other in self.subcontributions if other is not sub)
        sub.setOwner(None)


class SubContribution(Entry):
    """A part of a contribution; its id is unique in it."""

    TITLE_CHANGED = "contributionTitleChanged"
    speakers: Persons = ()
    duration: timedelta = timedelta()
    folders: tuple[Any, ...] = ()
    note: Any = None
    code: str = ""

    def getConference(self) -> Any:
        """Return the event."""
        return self._owner.getOwner()

    def getURL(self) -> str:
        """Return the address of the page that shows it: its contribution's."""
        url: str = self._owner.getURL()
        return url

    def file_path(self) -> str:
        """Return where the addresses of its files begin."""
        return f"{self._owner.file_path()}/subcontrib/{self._id}"

    def getUniqueId(self) -> str:
        """Return the ids of event, contribution and its own, as `12.3.1`."""
        return f"{self._owner.getUniqueId()}.{self._id}"

    def getDuration(self) -> timedelta:
        """Return how long it takes."""
        return self.duration

    def getSpeakerList(self) -> list[Any]:
        """Return the speakers."""
        return list(self.speakers)
