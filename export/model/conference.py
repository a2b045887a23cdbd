"""Events: lectures, meetings and conferences."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from BTrees.OOBTree import OOBTree

from export.errors import CatalogueException
from export.fossilize import Fossilizable
from export.model.booking_slots import Slots
from export.model.contribution import Contribution
from export.model.entry import EVERYWHERE, Entry, Persons, Placed, natural
from export.model.local_time import in_utc, in_zone
from export.model.person import Person
from export.model.registration import RegistrationForm
from export.model.session import Session
from export.model.timetable import Break
from export.model.video import SERVICES, CSBooking, without
from export.people.group import is_among

CONFIRMED, TENTATIVE, CANCELLED = STATUSES = ("confirmed", "tentative", "cancelled")
"""Whether an event takes place: surely, perhaps, or not."""


class Period(Fossilizable):
    """A stretch of time, in aware datetimes."""

    def __init__(self, start: datetime, end: datetime) -> None:
        self.startDT = start
        self.endDT = end


@dataclass(frozen=True)
class SupportInfo(Fossilizable):
    """Whom to ask about an event."""

    caption: str = "Support"
    email: str = ""
    telephone: str = ""


class Conference(Placed):
    """An event; its id is unique in the catalogue.

    Contributions are kept by id, so that two transactions that add different ones to a large
    event rarely conflict.
    """

    TITLE_CHANGED = "eventTitleChanged"
    type: str = "meeting"
    status: str = CONFIRMED
    """One of STATUSES; change it with `set_status`."""

    timezone: str = "UTC"
    origin: str = ""
    """The name at the source that it was imported from; "" for an event of this installation."""

    map_url: str = ""
    chairs: Persons = ()
    creator: Person | None = None
    visibility: int = EVERYWHERE
    keywords: tuple[str, ...] = ()
    references: tuple[Any, ...] = ()
    organizer: str = ""
    language: Any = None
    label: Any = None
    note: Any = None
    breaks: tuple[Break, ...] = ()
    support: SupportInfo = SupportInfo()
    reservations: tuple[Any, ...] = ()
    """The reservations of rooms that were made for it."""
    video_bookings: tuple[CSBooking, ...] = ()
    _videos_booked = 0
    _registration: RegistrationForm | None = None

    def __init__(self, id: str, title: str = "", description: str = "") -> None:
        super().__init__(id, title, description)
        self.contributions = OOBTree()
        self.sessions = OOBTree()
        self._created = self._modified

    def __setstate__(self, state: dict[str, Any]) -> None:
        if "registration" in state:  # as it was stored before there was an index of tickets
            state["_registration"] = state.pop("registration")
        super().__setstate__(state)

    def getUniqueId(self) -> str:
        """Return the id."""
        return self._id

    @property
    def registration(self) -> RegistrationForm | None:
        """The form to register with; None where nobody can register."""
        return self._registration

    @registration.setter
    def registration(self, form: RegistrationForm | None) -> None:
        if self._registration is not None:
            self._registration.drop_tickets()
            self._registration.event = None
        self._registration = form
        if form is not None:
            form.event = self
            form.note_tickets()

    def changed(self) -> None:
        """Announce that something is different now, after the index knows it."""
        if self.is_listed():
            self._owner.index.refresh(self)
        super().changed()

    def parts(self) -> list[Entry]:
        """Return the contributions; sessions are no records of their own to anybody."""
        return list(self.getContributionList())

    def getConference(self) -> Conference:
        """Return this event."""
        return self

    def getCreationDate(self) -> datetime:
        """Return when it was made."""
        return self._created

    def set_creation_date(self, created: datetime) -> None:
        """Set when it was made, as the source of an import tells."""
        self._created = created

    def getType(self) -> str:
        """Return `simple_event`, `meeting` or `conference`."""
        return self.type

    def set_status(self, status: str) -> None:
        """Tell whether it takes place; a cancelled event stays where it is, for all to know.

        Raises CatalogueException for a status that is none of STATUSES.
        """
        if status not in STATUSES:
            known = ", ".join(STATUSES)
            raise CatalogueException(f"there is no status {status!r} of events; there are {known}")
        self.update(status=status)

    def getKeywords(self) -> list[str]:
        """Return the keywords."""
        return list(self.keywords)

    def getURL(self) -> str:
        """Return the address of its page, or the path of one on this installation."""
        return self.url or f"/event/{self._id}/"

    def file_path(self) -> str:
        """Return where the addresses of its files begin."""
        return f"/export/event/{self._id}"

    def getChairList(self) -> list[Person]:
        """Return the chairs."""
        return list(self.chairs)

    def getContributionList(self) -> list[Contribution]:
        """Return all contributions, by start and id; those without a start last."""
        return sorted(self.contributions.values(), key=_by_start)

    def getContributionById(self, contribution_id: str) -> Contribution | None:
        """Return the contribution of that id, or None."""
        found: Contribution | None = self.contributions.get(contribution_id)
        return found

    def addContribution(self, contribution: Contribution) -> None:
        """Take *contribution* in. Raises CatalogueException where its id is taken."""
        if contribution.getId() in self.contributions:
            raise CatalogueException(
                f"the event {self._id} has a contribution {contribution.getId()} already"
            )
        contribution.setOwner(self)
        self.contributions[contribution.getId()] = contribution
        contribution.announce_arrival()

    def removeContribution(self, contribution: Contribution) -> None:
        """Take *contribution* out of this event, its slots and video bookings."""
        contribution.announce_removal()
        del self.contributions[contribution.getId()]
        self.video_bookings = without(self.video_bookings, contribution)
        for slot in self.getSessionSlotList():
            if contribution in slot.contributions:
                slot.contributions = tuple(
                    other for other in slot.contributions if other is not contribution
                )
        contribution.setOwner(None)

    def getSessionList(self) -> list[Session]:
        """Return the sessions by start."""
        return sorted(self.sessions.values(), key=_by_start)

    def getSessionSlotList(self) -> list[Any]:
        """Return the slots of all sessions by start."""
        return sorted((slot for one in self.sessions.values() for slot in one.slots), key=_by_start)

    def addSession(self, session: Session) -> None:
        """Take *session* in. Raises CatalogueException where its id is taken."""
        if session.getId() in self.sessions:
            raise CatalogueException(
                f"the event {self._id} has a session {session.getId()} already"
            )
        session.setOwner(self)
        self.sessions[session.getId()] = session
        session.announce_arrival()

    def removeSession(self, session: Session) -> None:
        """Take *session* out; its contributions stay in the event."""
        session.announce_removal()
        del self.sessions[session.getId()]
        for contribution in self.getContributionList():
            if contribution.session is session:
                contribution.update(session=None)
        session.setOwner(None)

    def add_break(self, pause: Break, slot: Any = None) -> None:
        """Put *pause* into the timetable, inside *slot* if one is given.

        Raises CatalogueException where its id is taken.
        """
        if any(other.getId() == pause.getId() for other in self.breaks):
            raise CatalogueException(f"the event {self._id} has a break {pause.getId()} already")
        pause.setOwner(self if slot is None else slot)
        self.update(breaks=(*self.breaks, pause))

    def remove_break(self, pause: Break) -> None:
        """Take *pause* out of the timetable."""
        self.update(breaks=tuple(other for other in self.breaks if other is not pause))
        pause.setOwner(None)

    def book_room(self, room: Any, slots: Slots, user: str, booked_for: str) -> Any:
        """Book *room* for this event; return the reservation. Raises RoomNotFree."""
        made = room.book(slots, user, self._title, booked_for)
        self.update(reservations=(*self.reservations, made))
        return made

    def book_video(self, type: str, **more: Any) -> CSBooking:
        """Book a service for this event; *more* is what a CSBooking has beside.

        Raises CatalogueException for a service that there is not, and for talks of other events.
        """
        if type not in SERVICES.values():
            known = ", ".join(SERVICES.values())
            raise CatalogueException(f"there is no video service {type!r}; there are {known}")
        if any(talk.getConference() is not self for talk in more.get("talks", ())):
            raise CatalogueException(f"the event {self._id} has no such talk")
        self._videos_booked += 1
        booking = CSBooking(self, str(self._videos_booked), type, **more)
        self.update(video_bookings=(*self.video_bookings, booking))
        return booking

    def replace_video(self, booking: CSBooking, **changes: Any) -> None:
        """Change *booking*, as when it is accepted or rejected."""
        self.update(
            video_bookings=tuple(
                replace(one, **changes) if one.id == booking.id else one
                for one in self.video_bookings
            )
        )

    def can_register_others(self, user: str | None) -> bool:
        """Return whether *user* may see and change who registered."""
        registrars = self.registration.registrars if self.registration is not None else ()
        return self.canModify(user) or is_among(user, registrars)

    def getOccurrences(
        self, start: datetime | None = None, end: datetime | None = None
    ) -> list[Period]:
        """Return for each day with entries the time from the first's start to the last's end.

        Days are those of the event's zone; only what lies within *start* and *end* is given.
        """
        zone = ZoneInfo(self.timezone)
        days: dict[Any, list[tuple[datetime, datetime]]] = {}
        for entry in (*self.contributions.values(), *self.getSessionSlotList(), *self.breaks):
            begins, ends = entry.getStartDate(), entry.getEndDate()
            if begins is not None and ends is not None:
                days.setdefault(in_zone(begins, zone).date(), []).append((begins, ends))
        return [
            period
            for period in (_period(day, times, zone) for day, times in sorted(days.items()))
            if period.startDT < period.endDT
            and (start is None or period.startDT >= start)
            and (end is None or period.endDT <= end)
        ]


def _period(day: Any, times: list[tuple[datetime, datetime]], zone: ZoneInfo) -> Period:
    last = in_utc(datetime.combine(day, time(23, 59), zone))
    return Period(min(begins for begins, _ in times), min(last, max(ends for _, ends in times)))


def _by_start(entry: Any) -> tuple[bool, datetime, int, str]:
    start = entry.getStartDate()
    return (start is None, start or datetime.max.replace(tzinfo=UTC), *natural(entry.getId()))
