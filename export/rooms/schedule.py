"""Schedules: a room that is booked again and again, and what is started and stopped in it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

from BTrees.OOBTree import OOBTree
from persistent import Persistent
from ZODB.Connection import Connection

from export.errors import CatalogueException
from export.model.booking_slots import DAY, Slots
from export.model.listeners import announce
from export.people.group import groups, is_among
from export.people.user import users
from export.rooms.reservation import Reservation
from export.rooms.schedule_request import ScheduleRequest
from export.rooms.schedule_tasks import InstanceTask, StartTask, StopTask
from scheduler import Client
from scheduler.clock import nowutc
from scheduler.store import Schema, connection_of

EARLY = timedelta(seconds=1)
"""A task may run so much before its date."""


class RoomSchedule(Persistent):
    """A schedule with its reservations and tasks, which are made and changed with it.

    Two transactions that change the same one conflict; the later is done again.
    """

    running: datetime | None = None
    """When the instance that is running began."""

    def __init__(self, id: int, author: str, requested: ScheduleRequest) -> None:
        self.id = id
        self.author = author
        self.created = nowutc()
        self.requested = requested
        self.reservations: tuple[Reservation, ...] = ()
        self.tasks: tuple[InstanceTask, ...] = ()

    def getId(self) -> int:
        """Return the id."""
        return self.id

    def getUniqueId(self) -> str:
        """Return the id among all that is followed, as `schedule-3`."""
        return f"schedule-{self.id}"

    def getTitle(self) -> str:
        """Return the name."""
        return self.requested.name

    def isProtected(self) -> bool:
        """Return that not everybody may see it."""
        return True

    def canAccess(self, user: str | None) -> bool:  # noqa: N802 (documented name)
        """Return whether *user* may see it: whom it is shared with, and who may change it."""
        return user is not None and (self._is_shared_with(user) or self.canModify(user))

    def canModify(self, user: str | None) -> bool:  # noqa: N802 (documented name)
        """Return whether *user* may change it: its author, and who looks after the room."""
        room = self.requested.room
        return user is not None and (
            user == self.author
            or room.is_kept_by(user)
            or bool(room.location.registry.is_manager(user))
        )

    def _is_shared_with(self, user: str) -> bool:
        found = groups(self)
        shared = (found.find(group_id) for group_id in self.requested.user_groups)
        return user in self.requested.users or is_among(user, [one for one in shared if one])

    @property
    def current(self) -> datetime | None:
        """When the instance begins that is not over yet; None where there are no more."""
        return self._instance_after(nowutc())

    def change(self, requested: ScheduleRequest) -> None:
        """Change the schedule to *requested* from now on.

        Past occurrences stay; a running one ends if the times differ. Raises RoomNotFree,
        ValueError; the transaction is to be aborted then.
        """
        before = self.requested
        if requested.timing != before.timing:
            self.end()
            self.requested = requested
            self.begin()
        else:
            self.requested = requested
            if requested.name != before.name:
                self._rename(requested.name)
        announce("infoChanged", self)

    def _rename(self, name: str) -> None:
        for reservation in self.reservations:
            reservation.rename(name)

    def delete_next(self) -> None:
        """Give up the instance that begins next. Raises CatalogueException without another."""
        now = nowutc()
        following = self._instance_after(now, begins_after=True)
        if following is None or self._instance_after(following, begins_after=True) is None:
            raise CatalogueException("This is the last instance: delete the schedule instead")
        self._give_up(following)
        announce("infoChanged", self)

    def start(self, moment: datetime) -> None:
        """Note that the instance of *moment* is running, if there is one."""
        self.stop(moment)
        begins = self._instance_after(moment + EARLY)
        if begins is not None and begins <= moment + EARLY and self.running is None:
            self.running = begins
            announce("started", self)

    def stop(self, moment: datetime) -> None:
        """Note that what was running has run its time, if it has at *moment*."""
        if self.running is None:
            return
        ends = self.requested.local(self.running) + self.requested.duration
        if ends <= self.requested.local(moment + EARLY):
            self.running = None
            announce("stopped", self)

    def halt(self) -> None:
        """End what is running now, and give the room back for the rest of its time.

        Raises CatalogueException where nothing is.
        """
        if self.running is None:
            raise CatalogueException("Schedule recording not found")
        begins, self.running = self.running, None
        self._give_up(begins)
        self._note(self.requested.local(begins), self.requested.local(nowutc()))
        announce("stopped", self)

    def _note(self, start: datetime, end: datetime) -> None:
        """Keep the room for the time that it was taken."""
        if start < end:  # where clocks are put back, it may look as if it was not
            held = Slots(start, end - start, start.date())
            self.requested.room.note(held, self.author, self.requested.name, self._author_name)

    def begin(self) -> None:
        """Book the room for what is to come, and enqueue what starts and stops it.

        Raises RoomNotFree, ValueError.
        """
        requested, now = self.requested, self.requested.local(nowutc())
        ahead = [slots.starting(_day_of_next(slots, now)) for slots in requested.slots()]
        self.reservations = tuple(
            requested.room.book(slots, self.author, requested.name, self._author_name)
            for slots in ahead
            if slots is not None
        )
        if not self.reservations:
            raise ValueError("nothing of the schedule is to come")
        grace = requested.duration.total_seconds()
        self.tasks = (
            StartTask(self, requested.rule(timedelta()), misfireGrace=grace),
            StopTask(self, requested.rule(requested.duration)),
        )
        client = Client(connection_of(self))
        for task in self.tasks:
            if task.is_ahead():
                client.enqueue(task)

    def end(self) -> None:
        """Give the room back for what is to come, and start nothing any more."""
        if self.running is not None:
            self.halt()
        now = self.requested.local(nowutc())
        for reservation in self.reservations:
            if reservation.takes_room:
                reservation.end_before(_day_of_next(reservation.slots, now))
        client = Client(connection_of(self))
        for task in self.tasks:
            client.dequeue(task)
        self.tasks = ()

    def is_hindered(self) -> bool:
        """Say whether some of what is to come cannot be."""
        return any(self._cannot_be(one, slots) for one, slots in self._to_come())

    def is_impossible(self) -> bool:
        """Say whether nothing of what is to come can be."""
        return all(
            self._cannot_be(one, Slots(begins, slots.length, begins.date()))
            for one, slots in self._to_come()
            for begins, _ in slots.each()
        )

    def _to_come(self) -> Iterator[tuple[Reservation, Slots]]:
        now = self.requested.local(nowutc())
        for reservation in self.reservations:
            left = reservation.slots.starting(_day_of_next(reservation.slots, now))
            if left is not None:
                yield reservation, left

    def _cannot_be(self, reservation: Reservation, slots: Slots) -> bool:
        return not reservation.takes_room or reservation.room.is_closed(slots, self.author)

    @property
    def _author_name(self) -> str:
        known = users(connection_of(self)).find(self.author)
        return known.getFullName() if known is not None else self.author

    def _instance_after(self, moment: datetime, *, begins_after: bool = False) -> datetime | None:
        """Return when the first instance begins that is not over, or has not begun, at *moment*."""
        taking = (one for one in self.reservations if one.takes_room)
        local = self.requested.local(moment)
        begins = [
            one.slots.current(local + (one.slots.length if begins_after else timedelta()))
            for one in taking
        ]
        first = min((begin for begin in begins if begin is not None), default=None)
        zone = self.requested.room.location.zone
        return first.replace(tzinfo=zone).astimezone(UTC) if first is not None else None

    def _give_up(self, begins: datetime) -> None:
        day = self.requested.local(begins).date()
        for reservation in self.reservations:
            if reservation.slots.occurs_on(day):
                reservation.exclude(day)


class Schedules(Persistent):
    """All schedules by id. Making several at a time conflicts; the later is done again."""

    def __init__(self) -> None:
        self._by_id = OOBTree()
        self._last = 0

    def __iter__(self) -> Iterator[RoomSchedule]:
        return iter(self._by_id.values())

    def find(self, id: int) -> RoomSchedule | None:
        """Return the schedule of that id, or None."""
        found: RoomSchedule | None = self._by_id.get(id)
        return found

    def create(self, author: str, requested: ScheduleRequest) -> RoomSchedule:
        """Make a schedule with its reservations and tasks. Raises RoomNotFree, ValueError."""
        self._last += 1
        schedule = self._by_id[self._last] = RoomSchedule(self._last, author, requested)
        schedule.begin()
        announce("created", schedule, requested.room)
        return schedule

    def delete(self, schedule: RoomSchedule) -> None:
        """End *schedule* and forget it; what it has booked so far stays."""
        announce("deleted", schedule, schedule.requested.room)
        schedule.end()
        del self._by_id[schedule.id]


SCHEMA = Schema("schedules", 1, Schedules)


def schedules(connection: Connection | Persistent | None = None) -> Schedules:
    """Return the schedules of *connection*'s database; of the current one's for None."""
    return SCHEMA.get(connection_of(connection))


def _day_of_next(slots: Slots, now: datetime) -> date:
    """Return the day of the first slot that is not over at *now*, or the one after the last."""
    begins = slots.current(now)
    return begins.date() if begins is not None else slots.last + DAY
