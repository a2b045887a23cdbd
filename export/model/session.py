"""Sessions of an event, and the slots they take place in."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from export.errors import CatalogueException
from export.model.entry import Persons, Placed


class Session(Placed):
    """A named group of contributions; its id is unique in its event."""

    color: str = "#EEE0EF"
    text_color: str = "#1D041F"
    is_poster: bool = False
    note: Any = None
    slots: tuple[SessionSlot, ...] = ()

    def getURL(self) -> str:
        """Return the address of its page, or the path of one on this installation."""
        return self.url or f"/event/{self._owner.getId()}/session/{self._id}/"

    def file_path(self) -> str:
        """Return where the addresses of its files begin."""
        return f"{self._owner.file_path()}/session/{self._id}"

    def getConference(self) -> Any:
        """Return the event."""
        return self._owner

    def getStartDate(self) -> datetime | None:
        """Return when its first slot starts; None without a scheduled one."""
        return min(filter(None, (slot.getStartDate() for slot in self.slots)), default=None)

    def getEndDate(self) -> datetime | None:
        """Return when its last slot ends; None without a scheduled one."""
        return max(filter(None, (slot.getEndDate() for slot in self.slots)), default=None)

    def getConvenerList(self) -> list[Any]:
        """Return the conveners of all slots, each once."""
        return list(dict.fromkeys(who for slot in self.slots for who in slot.conveners))

    def getUnscheduled(self) -> list[Any]:
        """Return the contributions that are in none of its slots, by id."""
        inside = {talk.getId() for slot in self.slots for talk in slot.contributions}
        return [
            talk
            for talk in self._owner.contributions.values()
            if talk.session is self and talk.getId() not in inside
        ]

    def addSlot(self, slot: SessionSlot) -> None:
        """Append *slot*. Raises CatalogueException where its id is taken."""
        if any(other.getId() == slot.getId() for other in self.slots):
            raise CatalogueException(f"the session {self._id} has a slot {slot.getId()} already")
        slot.setOwner(self)
        self.slots += (slot,)
        self.changed()


class SessionSlot(Placed):
    """One time and place of a session; its id is unique in the session."""

    conveners: Persons = ()
    contributions: tuple[Any, ...] = ()

    def getSession(self) -> Any:
        """Return the session."""
        return self._owner

    def getContributionList(self) -> list[Any]:
        """Return its contributions; of the session's first slot also those that are in no slot."""
        is_first = self._owner.slots[0] is self
        return [*self.contributions, *(self._owner.getUnscheduled() if is_first else ())]

    def schedule(self, contribution: Any) -> None:
        """Put *contribution* of the same event into this slot and its session."""
        contribution.update(session=self._owner)
        if contribution not in self.contributions:
            self.contributions += (contribution,)
