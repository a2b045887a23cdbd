"""The commands of rooms: `indico_export location ...`, `indico_export room ...`."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterable
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from ZODB.Connection import Connection

from export.cli.parser import Commands, Told, add_noun, add_verb, listed, named
from export.cli.reservations import told_of
from export.cli.slots import add_slots, slots_of
from export.errors import CatalogueException, RoomNotFree
from export.model.booking_slots import Slots
from export.people.group import Principal, principal
from export.rooms.registry import Location, rooms
from export.rooms.room import Blocking, Room
from scheduler.clock import nowutc

PLACE_HEADS = ("name", "timezone", "rooms")
HEADS = ("id", "location", "name", "active", "confirmation", "responsible")
TEXTS = ("latitude", "longitude", "responsible")
ADDRESS = {"name": "_name", "building": "building", "floor": "floor", "number": "number"}
SWITCHES = {
    "active": "is_active",
    "reservable": "is_reservable",
    "needs_confirmation": "needs_confirmation",
}
LISTS = {"equipment": "equipment", "video_system": "video_systems"}
SETS = {"manager": "managers", "booker": "booking_list"}
EMPTY: dict[str, frozenset[Principal] | None] = {"managers": frozenset(), "booking_list": None}
"""Values of the lists without anybody named: no managers; everybody may book."""


def add_commands(commands: Commands) -> None:
    """Add the commands of locations and rooms; USER may be a group, as group:ID."""
    locations = add_noun(commands, "location", "places with rooms")
    place = add_verb(locations, "create", "add a location", _create_location, "name")
    place.add_argument("--timezone", default="UTC", help="what its clocks go by")
    moved = add_verb(locations, "change", "change its clocks", _change_location, "name")
    moved.add_argument("--timezone", required=True, help="what its clocks go by")
    add_verb(locations, "delete", "delete one without rooms", _delete_location, "name")
    add_verb(locations, "list", "show all locations", _list_locations)

    found = add_noun(commands, "room", "rooms that can be booked")
    create = add_verb(found, "create", "add a room", _create, "location", "id")
    create.add_argument("--building", type=int, required=True)
    create.add_argument("--floor", required=True)
    create.add_argument("--number", required=True)
    create.add_argument("--name", default="")
    _add_options(create)
    change = add_verb(found, "change", "change what is given; '' takes it away", _change, "id")
    change.add_argument("--building", type=int)
    for name in ("floor", "number", "name"):
        change.add_argument(f"--{name}")
    _add_options(change)
    add_verb(found, "delete", "delete it, if nothing in it is to come", _delete, "id")
    for verb, work, about in (
        ("close", _close, "let nobody book it from START to END"),
        ("reopen", _reopen, "take that back"),
    ):
        add_slots(add_verb(found, verb, about, work, "id"))
    block = add_verb(found, "block", "keep it for some people from START to END", _block, "id")
    block.add_argument("--by", metavar="USER", required=True, help="who keeps it")
    block.add_argument("--for", dest="allowed", metavar="USER", nargs="*", default=())
    unblock = add_verb(found, "unblock", "take that back", _unblock, "id")
    for parser in (block, unblock):
        for name in ("start", "end"):
            parser.add_argument(name, metavar=name.upper(), help="as 2026-12-24")
    book = add_verb(found, "book", "book it from START to END", _book, "id")
    add_slots(book)
    book.add_argument("--for", dest="booked_for", metavar="NAME", required=True)
    book.add_argument("--reason", required=True)
    book.add_argument("--by", metavar="USER", help="who books it")
    book.add_argument("--pending", action="store_true", help="it has to be confirmed")
    add_verb(found, "show", "show all that is known of it", _show, "id")
    for verb, work, about in (
        ("users", _users, "who may use the rooms; everybody, if nobody is named"),
        ("managers", _managers, "who may book every room"),
    ):
        add_verb(found, verb, about, work).add_argument("users", metavar="USER", nargs="*")
    add_verb(found, "list", "show all rooms", _list)


def _add_options(parser: Any) -> None:
    for name in TEXTS:
        parser.add_argument(f"--{name}")
    for name in SWITCHES:
        parser.add_argument(f"--{name.replace('_', '-')}", choices=("yes", "no"))
    for name in (*LISTS, *SETS):
        parser.add_argument(f"--{name.replace('_', '-')}", action="append")


def _create_location(options: Namespace, connection: Connection) -> Told:
    location = Location(options.name, _zone_name(options.timezone))
    rooms(connection).add_location(location)
    return Told(f"location {location.name}, {location.timezone}", _place_facts(location))


def _change_location(options: Namespace, connection: Connection) -> Told:
    location = _location(options.name, connection)
    location.timezone = _zone_name(options.timezone)
    return Told(f"location {location.name}, {location.timezone}", _place_facts(location))


def _delete_location(options: Namespace, connection: Connection) -> Told:
    location = _location(options.name, connection)
    facts = _place_facts(location)
    rooms(connection).remove_location(location)
    return Told(f"location {options.name} is deleted", facts)


def _location(name: str, connection: Connection) -> Location:
    location: Location | None = rooms(connection).locations.get(name)
    if location is None:
        raise CatalogueException(f"there is no location {name!r}")
    return location


def _zone_name(name: str) -> str:
    try:
        return ZoneInfo(name).key
    except (KeyError, ValueError, OSError):
        raise CatalogueException(f"{name!r} is no time zone: use one as Europe/Zurich") from None


def _list_locations(options: Namespace, connection: Connection) -> Told:
    return listed(PLACE_HEADS, map(_place_row, rooms(connection).locations.values()))


def _place_facts(location: Location) -> dict[str, Any]:
    return named(PLACE_HEADS, _place_row(location))


def _place_row(location: Location) -> tuple[str, str, int]:
    return location.name, location.timezone, len(location.rooms)


def _create(options: Namespace, connection: Connection) -> Told:
    location = _location(options.location, connection)
    room = location.add_room(
        _number(options.id), options.building, options.floor, options.number, options.name
    )
    room.update(**_changes(options, connection))
    return Told(f"room {room.id}, {room.getFullName()}", _facts(room))


def _change(options: Namespace, connection: Connection) -> Told:
    room = _room(options, connection)
    room.update(**_changes(options, connection))
    return Told(f"room {room.id}, {room.getFullName()}", _facts(room))


def _delete(options: Namespace, connection: Connection) -> Told:
    room = _room(options, connection)
    facts = _facts(room)
    room.location.remove_room(room)
    return Told(f"room {room.id} is deleted", facts)


def _close(options: Namespace, connection: Connection) -> Told:
    room = _room(options, connection)
    room.close_for(slots_of(options, room.location.zone))
    text = f"room {options.id} is closed from {options.start} to {options.end}"
    return Told(text, _all_facts(room))


def _reopen(options: Namespace, connection: Connection) -> Told:
    room = _room(options, connection)
    slots = slots_of(options, room.location.zone)
    if slots not in room.diary.unavailable:
        raise CatalogueException(f"room {room.id} is not closed so: see `room show {room.id}`")
    room.reopen_for(slots)
    text = f"room {options.id} is not closed from {options.start} to {options.end}"
    return Told(text, _all_facts(room))


def _block(options: Namespace, connection: Connection) -> Told:
    allowed = _principals(options.allowed, connection)
    blocking = Blocking(*_days(options), options.by, allowed)
    room = _room(options, connection)
    room.block(blocking)
    text = f"room {options.id} is kept for {options.by} from {blocking.start} to {blocking.end}"
    return Told(text, _all_facts(room))


def _unblock(options: Namespace, connection: Connection) -> Told:
    room, days = _room(options, connection), _days(options)
    found = [one for one in room.diary.blockings if (one.start, one.end) == days]
    if not found:
        raise CatalogueException(f"room {room.id} is not kept so: see `room show {room.id}`")
    for blocking in found:
        room.unblock(blocking)
    text = f"room {room.id} is not kept from {options.start} to {options.end}"
    return Told(text, _all_facts(room))


def _book(options: Namespace, connection: Connection) -> Told:
    room = _room(options, connection)
    slots = slots_of(options, room.location.zone, daily=True)
    if slots.first_end.replace(tzinfo=room.location.zone) <= nowutc():
        raise CatalogueException("You cannot make bookings in the past")
    try:
        made = room.book(
            slots, options.by, options.reason, options.booked_for, confirmed=not options.pending
        )
    except RoomNotFree as error:
        raise CatalogueException(str(error)) from None
    return told_of(made)


def _show(options: Namespace, connection: Connection) -> Told:
    return listed(("what", "value"), _all(_room(options, connection)))


def _all_facts(room: Room) -> list[dict[str, Any]]:
    return [named(("what", "value"), row) for row in _all(room)]


def _all(room: Room) -> list[tuple[str, Any]]:
    booking = "everybody" if room.booking_list is None else _in_words(room.booking_list)
    known = {
        **_facts(room),
        "reservable": room.is_reservable,
        "latitude": room.latitude,
        "longitude": room.longitude,
        "equipment": ", ".join(room.equipment),
        "video systems": ", ".join(room.video_systems),
        "managers": _in_words(room.managers),
        "bookers": booking,
    }
    closed = (("closed", _slots_in_words(slots)) for slots in room.diary.unavailable)
    kept = (
        ("kept", f"{one.start} to {one.end} for {one.created_by} {_in_words(one.allowed)}".strip())
        for one in room.diary.blockings
    )
    return [*known.items(), *closed, *kept]


def _slots_in_words(slots: Slots) -> str:
    again = f", {slots.repeatability} to {slots.last}" if slots.repeatability else ""
    return f"{slots.begin.isoformat()} to {slots.first_end.isoformat()}{again}"


def _in_words(principals: Iterable[Principal]) -> str:
    return ", ".join(sorted(map(str, principals)))


def _users(options: Namespace, connection: Connection) -> Told:
    rooms(connection).users = _principals(options.users, connection)
    text = f"the rooms are for {', '.join(options.users) or 'everybody'}"
    return Told(text, {"users": options.users})


def _managers(options: Namespace, connection: Connection) -> Told:
    rooms(connection).managers = _principals(options.users, connection)
    text = f"managers of the rooms: {', '.join(options.users) or 'nobody'}"
    return Told(text, {"managers": options.users})


def _list(options: Namespace, connection: Connection) -> Told:
    return listed(HEADS, map(_row, rooms(connection).rooms.values()))


def _facts(room: Room) -> dict[str, Any]:
    return named(HEADS, _row(room))


def _row(room: Room) -> tuple[Any, ...]:
    return (
        *(room.id, room.location.name, room.getFullName()),
        *(room.is_active, room.needs_confirmation, room.responsible),
    )


def _room(options: Namespace, connection: Connection) -> Room:
    room: Room | None = rooms(connection).rooms.get(_number(options.id))
    if room is None:
        raise CatalogueException(f"there is no room {options.id}")
    return room


def _changes(options: Namespace, connection: Connection) -> dict[str, Any]:
    given = {name: value for name, value in vars(options).items() if value is not None}
    return {
        **{name: given[name] or None for name in TEXTS if name in given},
        **{name: given[option] for option, name in ADDRESS.items() if option in given},
        **{name: given[option] == "yes" for option, name in SWITCHES.items() if option in given},
        **{
            name: tuple(filter(None, given[option]))
            for option, name in LISTS.items()
            if option in given
        },
        **{
            name: _principals(filter(None, given[option]), connection) or EMPTY[name]
            for option, name in SETS.items()
            if option in given
        },
    }


def _principals(texts: Iterable[str], connection: Connection) -> frozenset[Principal]:
    return frozenset(principal(text, connection) for text in texts)


def _days(options: Namespace) -> tuple[date, date]:
    try:
        start, end = (date.fromisoformat(text[:10]) for text in (options.start, options.end))
    except ValueError as error:
        raise CatalogueException(f"{options.start} to {options.end}: {error}") from None
    if end < start:
        raise CatalogueException(f"{options.start} to {options.end}: it would end before it starts")
    return start, end


def _number(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise CatalogueException(f"a room has a number, not {text!r}")
    return int(text)
