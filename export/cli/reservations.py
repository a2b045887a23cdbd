"""The commands of reservations: `indico_export reservation ...`."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable
from datetime import date

from ZODB.Connection import Connection

from export.cli.parser import Commands, Told, add_noun, add_verb, listed, named
from export.cli.slots import add_slots, slots_of
from export.errors import CatalogueException, RoomNotFree
from export.rooms.registry import rooms
from export.rooms.reservation import Reservation

HEADS = ("id", "room", "start", "end", "every", "state", "for", "reason")
SWITCHES = ("uses_avc", "needs_avc_support", "needs_startup_support")


def add_commands(commands: Commands) -> None:
    """Add the commands of reservations, which `room book` makes."""
    found = add_noun(commands, "reservation", "bookings of rooms")
    add_verb(found, "list", "show all reservations", _list).add_argument(
        "--room", metavar="ID", type=int
    )
    add_verb(found, "cancel", "give the room back", _cancel, "id")
    add_verb(found, "reject", "refuse the room, or take it back", _reject, "id", "reason")
    add_verb(found, "confirm", "let it take the room", _confirm, "id")
    add_verb(found, "exclude", "give the room back on one day", _exclude, "id", "day")
    add_slots(add_verb(found, "move", "give it other slots", _move, "id"))
    change = add_verb(found, "change", "change what is given", _change, "id")
    change.add_argument("--reason")
    for name in SWITCHES:
        change.add_argument(f"--{name.replace('_', '-')}", choices=("yes", "no"))
    change.add_argument("--video-system", action="append", help="'' for none")


def state_of(reservation: Reservation) -> str:
    """Return `cancelled`, `rejected`, `pending` or `confirmed`."""
    states = {
        "cancelled": reservation.is_cancelled,
        "rejected": reservation.is_rejected,
        "pending": reservation.is_pending,
    }
    return next((name for name, is_so in states.items() if is_so), "confirmed")


def _list(options: Namespace, connection: Connection) -> Told:
    known = rooms(connection).reservations.values()
    return listed(HEADS, (_row(one) for one in known if options.room in (None, one.room.id)))


def told_of(reservation: Reservation) -> Told:
    """Return what a command tells of *reservation*, which it has made or changed."""
    text = f"reservation {reservation.id} of room {reservation.room.id}: {state_of(reservation)}"
    return Told(text, named(HEADS, _row(reservation)))


def _row(one: Reservation) -> tuple[object, ...]:
    return (
        *(one.id, one.room.id, f"{one.slots.begin:%Y-%m-%dT%H:%M}"),
        *(f"{one.slots.end:%Y-%m-%dT%H:%M}", one.slots.repeatability),
        *(state_of(one), one.booked_for, one.reason),
    )


def _cancel(options: Namespace, connection: Connection) -> Told:
    return _done(_reservation(options, connection), lambda one: one.cancel())


def _reject(options: Namespace, connection: Connection) -> Told:
    return _done(_reservation(options, connection), lambda one: one.reject(options.reason))


def _confirm(options: Namespace, connection: Connection) -> Told:
    return _done(_reservation(options, connection), lambda one: one.confirm())


def _exclude(options: Namespace, connection: Connection) -> Told:
    reservation = _reservation(options, connection)
    try:
        day = date.fromisoformat(options.day)
    except ValueError as error:
        raise CatalogueException(str(error)) from None
    if not reservation.slots.occurs_on(day):
        raise CatalogueException(f"reservation {reservation.id} has nothing on {day}")
    return _done(reservation, lambda one: one.exclude(day))


def _move(options: Namespace, connection: Connection) -> Told:
    reservation = _reservation(options, connection)
    slots = slots_of(options, reservation.zone, daily=True)
    return _done(reservation, lambda one: one.room.move(one, slots))


def _change(options: Namespace, connection: Connection) -> Told:
    given = {name: value for name, value in vars(options).items() if value is not None}
    values = {name: given[name] == "yes" for name in SWITCHES if name in given}
    if "reason" in given:
        values["reason"] = given["reason"]
    if "video_system" in given:
        values["video_systems"] = tuple(filter(None, given["video_system"]))
    return _done(_reservation(options, connection), lambda one: one.update(**values))


def _done(reservation: Reservation, work: Callable[[Reservation], None]) -> Told:
    try:
        work(reservation)
    except RoomNotFree as error:
        raise CatalogueException(str(error)) from None
    return told_of(reservation)


def _reservation(options: Namespace, connection: Connection) -> Reservation:
    known = rooms(connection).reservations
    number = int(options.id) if options.id.isascii() and options.id.isdecimal() else -1
    reservation: Reservation | None = known.get(number) if number < 2**31 else None
    if reservation is None:
        raise CatalogueException(f"there is no reservation {options.id}")
    return reservation
