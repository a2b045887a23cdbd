"""Rooms keep their promises after any sequence of changes, and tell of each.

Covers `export.rooms.collisions`, `export.rooms.registry`.
"""

from __future__ import annotations

from contextlib import contextmanager
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ZODB import DB

from export.errors import CatalogueException, RoomNotFree
from export.model import listeners
from export.model.booking_slots import STEPS, Slots
from export.model.catalogue import catalogue
from export.rooms.collisions import BLOCKED, COLLISION, UNAVAILABLE
from export.rooms.registry import Location, rooms
from export.rooms.room import Blocking
from scheduler.store import transact, using
from tests.export.planting_rooms import change_room, local, plant_rooms, slots

HOURS = [local(2024, 5, day, hour) for day in range(1, 15) for hour in (8, 9, 10)]
TIMES = st.builds(
    slots,
    st.sampled_from(HOURS),
    hours=st.sampled_from([1, 2, 20]),
    last=st.sampled_from([date(2024, 5, 14) + timedelta(days=days) for days in (0, 7, 40)]),
    every=st.sampled_from(list(STEPS)),
)
CHANGES = st.lists(
    st.tuples(
        st.sampled_from(
            ["book", "book", "book", "prebook", "confirm", "cancel", "reject", "move", "exclude"]
        ),
        st.sampled_from([1, 2]),
        st.integers(0, 5),
        TIMES,
    ),
    max_size=12,
)


@contextmanager
def two_rooms():
    """Two rooms of one location, in a database of their own; everything in one transaction."""
    database = DB(None)
    connection = database.open()
    with using(connection):
        registry = rooms()
        place = registry.add_location(Location("Bern"))
        place.add_room(1, 1, "1", "1")
        place.add_room(2, 1, "1", "2")
        yield registry
    connection.transaction_manager.abort()
    connection.close()
    database.close()


@pytest.fixture
def registry():
    with two_rooms() as registry:
        yield registry


def is_free(made, room, wanted, but=None):
    """Say so by comparing with every other reservation."""
    rivals = (one for one in made if one.room is room and one is not but and one.takes_room)
    return not any(one.slots.overlaps(wanted) for one in rivals)


def attempt(expected, work):
    """Do *work*; it is refused exactly when that is expected."""
    if expected:
        return work()
    with pytest.raises(RoomNotFree):
        work()
    return None


def do(registry, made, change, number, place, wanted):
    room = registry.rooms[number]
    if change in ("book", "prebook"):
        confirmed = change == "book"
        new = attempt(
            not confirmed or is_free(made, room, wanted),
            lambda: room.book(wanted, "ann", "", "", confirmed=confirmed),
        )
        return [new] if new is not None else []
    if not made:
        return []
    one = made[place % len(made)]
    if change == "confirm":
        free = not one.is_pending or is_free(made, one.room, one.slots, one)
        attempt(free, one.confirm)
    elif change == "move":
        free = not one.takes_room or is_free(made, one.room, wanted, one)
        attempt(free, lambda: one.room.move(one, wanted))
    elif change == "exclude":
        one.exclude(wanted.begin.date())
    elif change == "cancel":
        one.cancel()
    else:
        one.reject("no")
    return []


@given(changes=CHANGES, wanted=TIMES)
def test_reservations_are_found_by_date_and_never_collide_after_any_changes(changes, wanted):
    with two_rooms() as registry:
        made = []
        for change in changes:
            made += do(registry, made, *change)

        taking = [one for one in made if one.takes_room]
        for one in taking:
            assert is_free(taking, one.room, one.slots, one)
        overlapping = {one.id for one in made if one.slots.overlaps(wanted)}
        place = registry.locations["Bern"]
        assert {one.id for one in place.reservations(wanted)} == overlapping
        assert [one.id for one in place.reservations()] == [
            one.id for one in sorted(made, key=lambda one: (one.getStartDate(), one.id))
        ]
        for room in place.rooms.values():
            here = {one.id for one in made if one.room is room}
            assert {one.id for one in room.reservations(wanted)} == here & overlapping


def test_a_reservation_that_is_in_the_way_is_named(registry):
    room = registry.rooms[1]
    nine = slots(local(2024, 5, 1, 9))
    room.book(nine, "ann", "", "")
    with pytest.raises(RoomNotFree, match=COLLISION):
        room.book(nine, "bob", "", "")
    room.close_for(slots(local(2024, 5, 2, 0), hours=24))
    with pytest.raises(RoomNotFree, match=UNAVAILABLE):
        room.book(slots(local(2024, 5, 2, 9)), "ann", "", "")
    blocking = Blocking(date(2024, 5, 3), date(2024, 5, 4), "bob", frozenset({"cid"}))
    room.block(blocking)
    third = slots(local(2024, 5, 3, 9))
    with pytest.raises(RoomNotFree, match=BLOCKED):
        room.book(third, "ann", "", "")
    for number, user in enumerate(("bob", "cid")):
        room.book(slots(local(2024, 5, 3, 9 + number)), user, "", "")
    catalogue(registry).root.grant_modification("root")
    room.book(slots(local(2024, 5, 4, 9)), "root", "", "")
    room.unblock(blocking)
    room.book(slots(local(2024, 5, 4, 11)), "ann", "", "")


def test_a_place_of_the_room_is_free_again_on_an_excluded_day(registry):
    room = registry.rooms[1]
    week = slots(local(2024, 5, 1, 9), last=date(2024, 5, 7), every="daily")
    made = room.book(week, "ann", "", "")
    made.exclude(date(2024, 5, 3))
    room.book(slots(local(2024, 5, 3, 9)), "bob", "", "")
    assert [one.startDT.day for one in made.getOccurrences()] == [1, 2, 4, 5, 6, 7]


def test_a_reservation_that_has_lost_its_only_day_is_cancelled(registry):
    made = registry.rooms[1].book(slots(local(2024, 5, 1, 9)), "ann", "", "")
    made.exclude(date(2024, 5, 1))
    assert made.is_cancelled


@pytest.mark.parametrize(
    ("change", "may"),
    [
        ({}, {"ann", "keeper", "member", "manager", "root"}),
        ({"booking_list": frozenset({"member"})}, {"keeper", "member", "manager", "root"}),
        ({"needs_confirmation": True}, {"keeper", "manager", "root"}),
        ({"is_reservable": False}, {"keeper", "manager", "root"}),
        ({"is_active": False}, {"manager", "root"}),
    ],
)
def test_users_may_book_a_room_as_its_settings_say(registry, change, may):
    room = registry.rooms[1]
    registry.managers = frozenset({"manager"})
    catalogue(registry).root.grant_modification("root")
    room.update(responsible="keeper", **change)
    people = {"ann", "keeper", "member", "manager", "root"}
    assert {who for who in people if room.may_be_booked_by(who)} == may
    registry.users = people - {"ann", "keeper"}
    assert not {"ann", "keeper"} & {who for who in people if room.may_be_booked_by(who)}


def test_every_change_is_announced(registry):
    class Listener:
        def __init__(self):
            self.heard = []

        def created(self, obj, owner):
            self.heard.append(("created", obj.getUniqueId()))

        def infoChanged(self, obj):
            self.heard.append(("changed", obj.getUniqueId()))

    listener = Listener()
    listeners.subscribe(listener)
    try:
        room = registry.locations["Bern"].add_room(9, 1, "1", "9")
        made = room.book(slots(local(2024, 5, 1, 9)), "ann", "", "", confirmed=False)
        made.confirm()
        made.confirm()
        made.exclude(date(2024, 5, 2))
        made.cancel()
        made.reject("no")
        room.update(is_active=False)
        room.update(is_active=False)
    finally:
        listeners.unsubscribe(listener)
    changed = ("changed", f"resv-{made.id}")
    assert listener.heard == [
        ("created", "room-9"),
        ("created", f"resv-{made.id}"),
        *[changed] * 4,
        ("changed", "room-9"),
    ]


def test_ids_are_unique(registry):
    with pytest.raises(CatalogueException, match="Bern"):
        registry.add_location(Location("Bern"))
    with pytest.raises(CatalogueException, match="room 1"):
        registry.add_location(Location("Thun")).add_room(1, 1, "1", "1")
    last = [registry.rooms[1].book(slots(hour), "ann", "", "").id for hour in HOURS[:3]]
    assert last == [1, 2, 3]


def test_a_reservation_that_is_shown_is_the_one_that_was_stored(database):
    transact(database, plant_rooms)
    made = change_room(database, lambda room: [one.slots for one in room.reservations()])
    assert made == [
        Slots(local(2011, 6, 24, 8, 30), timedelta(hours=9), date(2011, 6, 25), "daily")
    ]
