"""Reservations: who has a room, when and what for."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from persistent import Persistent

from export.fossilize import Fossilizable
from export.model.booking_slots import FIRST, LAST, Slots
from export.model.conference import Period
from export.model.listeners import announce
from scheduler.clock import nowutc


class Reservation(Persistent, Fossilizable):
    """A booking of a room; its id is unique in the database. Rooms make them: `Room.book`.

    Cancelled and rejected ones are kept. Two transactions that change the same reservation
    conflict; the later one is done again.
    """

    is_cancelled = False
    is_rejected = False
    uses_avc: bool = False
    """Whether it uses audio-visual equipment."""
    needs_avc_support: bool = False
    needs_startup_support: bool = False
    video_systems: tuple[str, ...] = ()
    rejection_reason: str = ""
    modified_at: datetime | None = None
    """When it was changed last; None while it is as it was made."""

    def __init__(
        self,
        id: int,
        room: Any,
        slots: Slots,
        reason: str = "",
        booked_for: str = "",
        *,
        created_by: str | None = None,
        confirmed: bool = True,
        contact_email: str = "",
        contact_phone: str = "",
    ) -> None:
        self.id = id
        self.room = room
        self.slots = slots
        self.reason = reason
        self.booked_for = booked_for
        self.created_by = created_by
        self.created_at = nowutc()
        self.is_confirmed = confirmed
        self.contact_email = contact_email
        self.contact_phone = contact_phone

    def getId(self) -> int:
        """Return the id."""
        return self.id

    def getUniqueId(self) -> str:
        """Return the id among all that is followed, as `resv-12`."""
        return f"resv-{self.id}"

    def getTitle(self) -> str:
        """Return the reason."""
        return self.reason

    def getStartDate(self) -> datetime:
        """Return when its first slot begins, by the clocks of its location."""
        return self.slots.begin.replace(tzinfo=self.zone)

    def getEndDate(self) -> datetime:
        """Return when it ends on its last day, by the clocks of its location."""
        return self.slots.end.replace(tzinfo=self.zone)

    def getModificationDate(self) -> datetime:
        """Return when it was changed last, or made."""
        return self.modified_at or self.created_at

    def getURL(self) -> str:
        """Return the path of its page on this installation."""
        return f"/rooms/booking/{self.room.location.name}/{self.id}/"

    @property
    def zone(self) -> ZoneInfo:
        """The zone of the clocks that it goes by."""
        zone: ZoneInfo = self.room.location.zone
        return zone

    @property
    def takes_room(self) -> bool:
        """Whether nobody else can have the room meanwhile."""
        return self.is_confirmed and not self.is_cancelled and not self.is_rejected

    @property
    def is_pending(self) -> bool:
        """Whether somebody has to confirm it still."""
        return not (self.is_confirmed or self.is_cancelled or self.is_rejected)

    def isProtected(self) -> bool:
        """Return that not everybody may see it."""
        return True

    def canAccess(self, user: str | None) -> bool:  # noqa: N802 (documented name)
        """Return whether *user* may see it: whoever may use the rooms."""
        return user is not None and bool(self.room.location.registry.may_use(user))

    def getOccurrences(self, start: datetime = FIRST, end: datetime = LAST) -> Iterator[Period]:
        """Yield the slots that lie within *start* and *end*, by the clocks of its location."""
        for begins, ends in self.slots.times(start, end):
            yield Period(begins.replace(tzinfo=self.zone), ends.replace(tzinfo=self.zone))

    def cancel(self) -> None:
        """Give the room back."""
        self.update(is_cancelled=True)

    def reject(self, reason: str) -> None:
        """Refuse the room, or take it back."""
        self.update(is_rejected=True, rejection_reason=reason)

    def confirm(self) -> None:
        """Confirm a pending reservation. Raises RoomNotFree if the room is taken by now."""
        if self.is_pending:
            self.room.hold(self.slots, self.created_by, self)
            self.update(is_confirmed=True)

    def rename(self, reason: str) -> None:
        """Give it another reason."""
        self.update(reason=reason)

    def exclude(self, day: date) -> None:
        """Give the room back on *day* alone."""
        left = self.slots.without(day)
        if left.is_empty:
            self.cancel()
        else:
            self.room.put(self, left)

    def end_before(self, day: date) -> None:
        """Give the room back from *day* on."""
        left = self.slots.until(day)
        if left is None:
            self.cancel()
        elif left != self.slots:
            self.room.put(self, left)

    def changed(self) -> None:
        """Announce that something of it is different now."""
        self.modified_at = nowutc()
        announce("infoChanged", self)

    def update(self, **values: Any) -> None:
        """Set attributes that do not tell when it takes the room, and announce that."""
        for name, value in values.items():
            setattr(self, name, value)
        self.changed()


class ReservationCERN(Reservation):
    """A reservation as CERN's rooms have them."""
