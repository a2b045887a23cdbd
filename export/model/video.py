"""Video bookings of events: conferences by video, and requests for webcasts and recordings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from export.fossilize import Fossilizable
from export.model.local_time import in_utc

SERVICES = {
    "vidyo": "Vidyo",
    "evo": "EVO",
    "mcu": "CERNMCU",
    "webex": "WebEx",
    "webcast": "WebcastRequest",
    "recording": "RecordingRequest",
}
"""The types of bookings by the names that addresses have for them."""

REQUESTS = {"WebcastRequest", "RecordingRequest"}
"""Types that are shown talk by talk."""

ACCEPTED, PENDING, REJECTED = "A", "P", "R"


@dataclass(frozen=True)
class CSBooking(Fossilizable):
    """A booking of one service for an event, or for some of its talks; events keep them."""

    event: Any
    id: str
    type: str
    title: str = ""
    """Its title at the service, such as the name of a virtual room."""
    start: datetime | None = None
    """Its beginning, where that is not the event's."""
    end: datetime | None = None
    status: str = ""
    """Whether it was accepted; "" where the service does not ask."""
    audience: str | None = None
    """Whom it is for; "" for everybody, None where nobody is asked."""
    talks: tuple[Any, ...] = ()
    """The contributions it is for; the whole event if there are none."""

    def getId(self) -> str:
        """Return what it is known by in every calendar."""
        return f"a{self.event.getId()}csbook{self.id}"

    @property
    def place(self) -> Any:
        """The object whose room counts: the only talk, else the event."""
        return self.talks[0] if len(self.talks) == 1 else self.event

    def getTitle(self) -> str:
        """Return the title of the only talk, of the service, or of the event."""
        talk = self.talks[0].getTitle() if len(self.talks) == 1 else ""
        titles = (talk, self.title, self.event.getTitle(), "No title defined.")
        return next(title for title in titles if title)

    def getStartDate(self) -> datetime | None:
        """Return when it begins, or the event does."""
        return self.start or self.event.getStartDate()

    def getEndDate(self) -> datetime | None:
        """Return when it ends, or the event does."""
        return self.end or self.event.getEndDate()

    def instances(self) -> Iterator[CSBookingInstanceWrapper]:
        """Yield one for each talk, or one for the event."""
        for talk in self.talks or (self.event,):
            yield CSBookingInstanceWrapper(self, talk)


@dataclass(frozen=True)
class CSBookingInstanceWrapper(Fossilizable):
    """A booking's part for one talk, or for the event as a whole."""

    booking: CSBooking
    place: Any

    @property
    def event(self) -> Any:
        """The event."""
        return self.booking.event

    @property
    def type(self) -> str:
        """The service."""
        return self.booking.type

    @property
    def status(self) -> str:
        """Whether the request was accepted."""
        return self.booking.status

    @property
    def audience(self) -> str | None:
        """Whom it is for."""
        return self.booking.audience

    def getId(self) -> str:
        """Return what it is known by in every calendar."""
        talk = f"t{self.place.getId()}" if self.place is not self.event else ""
        start = self.getStartDate()
        at = f"{in_utc(start):%Y%m%dT%H%M%S}" if start is not None else ""
        return f"a{self.event.getId()}{talk}{self.type[:2].lower()}_{at}"

    def getTitle(self) -> str:
        """Return the title of the event, and that of the talk."""
        title: str = self.event.getTitle()
        return title if self.place is self.event else f"{title} - {self.place.getTitle()}"

    def getStartDate(self) -> datetime | None:
        """Return when the talk begins."""
        found: datetime | None = self.place.getStartDate()
        return found

    def getEndDate(self) -> datetime | None:
        """Return when the talk ends."""
        found: datetime | None = self.place.getEndDate()
        return found


def without(bookings: tuple[CSBooking, ...], talk: Any) -> tuple[CSBooking, ...]:
    """Return *bookings* once *talk* is gone, and with it those that were for nothing else."""
    left = (
        replace(one, talks=tuple(other for other in one.talks if other is not talk))
        for one in bookings
        if one.talks != (talk,)
    )
    return tuple(left)
