"""Writes by chance to a small catalogue: edits, moves, rights, groups, deletions and undo."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import transaction
from ZODB.POSException import UndoError

from export.auth.tokens import tokens
from export.errors import CatalogueException, RoomNotFree
from export.model.access import Protection
from export.model.booking_slots import Slots
from export.model.catalogue import catalogue
from export.model.category import Category
from export.model.conference import Conference
from export.model.contribution import Contribution
from export.people.group import Group, groups
from export.people.user import Avatar, users
from export.rooms.registry import Location, rooms
from scheduler.store import transact

STRANGER, MEMBER, MANAGER = "11", "12", "13"
ASKERS = (None, STRANGER, MEMBER, MANAGER)
CATEGORIES = ("2", "3", "4")
EVENTS = tuple(map(str, range(20, 26)))
START = datetime(2026, 3, 2, 9, tzinfo=UTC)
NAIVE = START.replace(tzinfo=None)
ADDRESSES = (
    *(f"/export/event/{one}.json?detail=contributions" for one in EVENTS),
    "/export/event/20-21-22-23-24-25.xml?detail=sessions",
    *(f"/export/categ/{one}.{kind}" for one in ("0", *CATEGORIES) for kind in ("json", "ics")),
    *("/export/categ/0.json?from=today", "/export/categ/0.atom?order=title&limit=2"),
    *("/export/event/search/blue.json", "/export/event/search/red fish.json"),
    *("/export/timetable/20-21.json", "/export/event/20/contribution/1-2.json"),
    *("/export/user/categ_events.json", "/export/user/linked_events.json"),
    *("/export/room/CERN/1-2.json?detail=reservations", "/export/reservation/CERN.json"),
    *("/export/reservation/CERN.json?arch=yes", "/export/roomName/CERN/a.json"),
)


def plant(connection):
    """Plant users, a group, categories, events and rooms; return the tokens of the askers."""
    found = catalogue(connection)
    for number in (STRANGER, MEMBER, MANAGER):
        users(connection).add(Avatar(number, "A", f"User {number}", f"{number}@example.org"))
    crew = groups(connection).add(Group("crew", "Crew"))
    crew.add(MEMBER)
    found.root.grant_modification(MANAGER)
    for number in CATEGORIES:
        found.add_category(Category(number, f"Category {number}"))
    for number in EVENTS:
        add_event(found, number, found.category("3" if number < "23" else "2"))
    found.category("2").setProtection(Protection.RESTRICTED)
    found.category("2").grant_access(crew)
    place = rooms(connection).add_location(Location("CERN", "UTC"))
    for number in (1, 2):
        place.add_room(number, number, "1", "a", f"Room {number}")
    return {
        user: tokens(connection).create(user, "all", {"read:legacy_api"})[1]
        for user in (STRANGER, MEMBER, MANAGER)
    }


def add_event(found, number, category):
    event = Conference(number, f"Blue fish {number}")
    event.setDates(START, START + timedelta(days=1))
    found.add_event(event, category)
    for talk_id in ("1", "2"):
        talk = Contribution(talk_id, f"Talk {talk_id}")
        talk.setDates(START, START + timedelta(hours=1))
        event.addContribution(talk)


class RandomWrites:
    """Commits one change after the other; those that are refused are aborted."""

    def __init__(self, database, seed):
        self._database = database
        self._chance = random.Random(seed)
        self.done = 0

    def commit_one(self):
        """Commit one change."""
        write = self._chance.choice(WRITES)
        if write is undo_last and not self._database.supportsUndo():
            write = rename_event
        try:
            write(self._database, self._chance)
        except (CatalogueException, RoomNotFree, UndoError):
            return
        self.done += 1


def written(work):
    """A write that changes the objects of the connection it is given."""

    def write(database, chance):
        transact(database, lambda connection: work(connection, chance))

    return write


def any_event(connection, chance):
    found = catalogue(connection)
    number = chance.choice(EVENTS)
    event = found.event(number)
    if event is None:
        add_event(found, number, found.category(chance.choice(CATEGORIES)))
        event = found.event(number)
    return event


def any_protected(connection, chance):
    event = any_event(connection, chance)
    parts = (event, event.getOwner(), *event.getContributionList())
    return chance.choice(parts)


@written
def rename_event(connection, chance):
    words = " ".join(chance.choices(("Blue", "Red", "fish", "cat"), k=3))
    any_event(connection, chance).setTitle(words)


@written
def move_event(connection, chance):
    found = catalogue(connection)
    found.move_event(any_event(connection, chance), found.category(chance.choice(CATEGORIES)))


@written
def move_category(connection, chance):
    found = catalogue(connection)
    parent = found.category(chance.choice(("0", *CATEGORIES)))
    found.move_category(found.category(chance.choice(CATEGORIES)), parent)


@written
def rename_category(connection, chance):
    catalogue(connection).category(chance.choice(CATEGORIES)).setTitle(str(chance.random()))


@written
def shift_dates(connection, chance):
    start = START + timedelta(days=chance.randrange(-300, 300))
    any_event(connection, chance).setDates(start, start + timedelta(days=1))


@written
def change_protection(connection, chance):
    any_protected(connection, chance).setProtection(chance.choice(list(Protection)))


@written
def change_access(connection, chance):
    obj, who = any_protected(connection, chance), any_principal(connection, chance)
    chance.choice((obj.grant_access, obj.revoke_access))(who)


@written
def change_modification(connection, chance):
    obj, who = any_protected(connection, chance), any_principal(connection, chance)
    chance.choice((obj.grant_modification, obj.revoke_modification))(who)


def any_principal(connection, chance):
    return chance.choice((STRANGER, MEMBER, groups(connection).find("crew")))


@written
def change_group(connection, chance):
    group = groups(connection).find("crew")
    chance.choice((group.add, group.remove))(chance.choice((STRANGER, MEMBER)))


@written
def remove_event(connection, chance):
    catalogue(connection).remove_event(any_event(connection, chance))


@written
def change_contribution(connection, chance):
    event = any_event(connection, chance)
    talk = event.getContributionById("1")
    if talk is None:
        talk = Contribution("1", "Talk again")
        talk.setDates(START, START + timedelta(hours=1))
        event.addContribution(talk)
    elif chance.random() < 0.5:
        event.removeContribution(talk)
    else:
        talk.setTitle(str(chance.random()))


@written
def book_room(connection, chance):
    begin = NAIVE + timedelta(days=chance.randrange(3000))
    room = rooms(connection).rooms[chance.choice((1, 2))]
    room.book(Slots(begin, timedelta(hours=1), begin.date(), None), MEMBER, "Reason", "Somebody")


@written
def change_reservation(connection, chance):
    held = list(rooms(connection).reservations.values())
    if held:
        one = chance.choice(held)
        chance.choice((one.cancel, lambda: one.rename(str(chance.random()))))()


@written
def change_rooms(connection, chance):
    everybody = rooms(connection)
    chance.choice((everybody.rooms[1], everybody.rooms[2])).update(latitude=str(chance.random()))


def undo_last(database, chance=None):
    (last,) = database.undoInfo(0, 1)
    manager = transaction.TransactionManager()
    database.undo(last["id"], manager.begin())
    manager.commit()


WRITES = (
    *(rename_event, rename_event, move_event, move_category, rename_category, shift_dates),
    *(change_protection, change_access, change_access, change_modification, change_group),
    *(remove_event, change_contribution, book_room, change_reservation, change_rooms, undo_last),
)
