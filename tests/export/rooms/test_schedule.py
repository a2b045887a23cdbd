"""Bookings and tasks of schedules are in step after any sequence of changes.

Covers `export.rooms.recurrence`, `export.rooms.schedule_request`, `export.rooms.schedule_tasks`.
"""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import islice

from hypothesis import given, settings
from hypothesis import strategies as st
from ZODB import DB

from export.errors import CatalogueException, RoomNotFree
from export.rooms.recurrence import Recurrence
from export.rooms.registry import Location, rooms
from export.rooms.schedule import schedules
from export.rooms.schedule_request import ScheduleRequest
from scheduler.clock import nowutc, timed_by
from scheduler.store import using
from scheduler.testing import StandingClock

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
BEGIN = datetime(2030, 10, 21, 6, tzinfo=UTC)  # clocks are put back on the 27th
RECURRENCES = st.builds(
    Recurrence,
    st.sampled_from(["none", "daily", "weekly", "monthly"]),
    st.sampled_from([(), (1,), (0, 3), (5, 6)]),
    st.sampled_from(["no", "after", "by"]),
    st.integers(1, 9),
    st.sampled_from([(BEGIN + timedelta(days=days)).date() for days in (0, 5, 30)]),
)
CHANGES = st.lists(
    st.tuples(
        st.sampled_from(["create", "create", "edit", "delete_next", "halt", "delete", "advance"]),
        st.integers(0, 3),
        st.integers(0, 80),
        st.integers(1, 30),
        RECURRENCES,
    ),
    max_size=10,
)


@contextmanager
def a_room():
    """A room in a database of its own, and a clock that stands still."""
    database = DB(None)
    connection = database.open()
    try:
        with timed_by(StandingClock()) as clock, using(connection):
            clock.now = BEGIN
            place = rooms().add_location(Location("Bern", "Europe/Zurich"))
            yield place.add_room(1, 1, "1", "1"), clock
    finally:
        connection.transaction_manager.abort()
        connection.close()
        database.close()


def do(room, clock, change, place, hours, length, recurrence):
    made = list(schedules())
    savepoint = room.location.registry._p_jar.transaction_manager.savepoint()
    one = made[place % len(made)] if made else None
    try:
        if change == "advance":
            clock.advance(hours * 3600)
        elif change == "create":
            schedules().create("ann", requested(room, hours, length, recurrence))
        elif one is not None and change == "edit":
            one.change(requested(room, hours, length, recurrence))
        elif one is not None and change == "delete":
            schedules().delete(one)
        elif one is not None and change == "halt":
            one.start(nowutc())
            one.halt()
        elif one is not None:
            one.delete_next()
    except (RoomNotFree, CatalogueException, ValueError):
        savepoint.rollback()


def requested(room, hours, length, recurrence):
    asked = ScheduleRequest("x", room, nowutc() + (hours + 1) * HOUR, length * HOUR, recurrence)
    asked.rule(asked.duration)  # as the request does, which is refused without one
    return asked


def to_come(schedule):
    """The beginnings of what is booked and has not begun, the first ones."""
    now = nowutc()
    taking = (one for one in schedule.reservations if one.takes_room)
    left = ((one.zone, one.slots.starting(now.date() - 3 * DAY)) for one in taking)
    begins = (
        start.replace(tzinfo=zone).astimezone(UTC)
        for zone, slots in left
        if slots is not None
        for start, _ in islice(slots.each(), 20)
    )
    return sorted(begin for begin in begins if begin > now)[:10]


def dates(task, count):
    """The dates at which a task is to run, the first ones."""
    found, date = [], task.getStartOn()
    while date is not None and len(found) < count:
        found.append(date)
        date = task.getSchedule().after(date)
    return found


@settings(max_examples=60)
@given(changes=CHANGES)
def test_each_booked_instance_is_started_and_none_is_booked_twice(changes):
    with a_room() as (room, clock):
        for change in changes:
            do(room, clock, *change)

        for schedule in schedules():
            booked = to_come(schedule)
            if not booked:
                continue
            start, stop = schedule.tasks
            starting = [date for date in dates(start, 40) if date > nowutc()]
            assert set(booked) <= set(starting)
            zone, length = room.location.zone, schedule.requested.duration
            ends = {
                (begin.astimezone(zone).replace(tzinfo=None) + length)
                .replace(tzinfo=zone)
                .astimezone(UTC)
                for begin in booked
            }
            assert ends <= set(dates(stop, 40))
        taking = [one for one in room.reservations() if one.takes_room]
        for number, one in enumerate(taking):
            assert not any(one.slots.overlaps(other.slots) for other in taking[:number])
