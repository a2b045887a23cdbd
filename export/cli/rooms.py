"""The commands of rooms: `indico_export location ...`, `indico_export room ...`."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterable
from datetime import datetime, time
from typing import Any

from ZODB.Connection import Connection

from export.cli.parser import Commands, add_list, add_noun, add_verb, listed
from export.errors import CatalogueException
from export.model.booking_slots import Slots
from export.people.group import Principal, principal
from export.rooms.registry import Location, rooms
from export.rooms.room import Blocking, Room

WHEN = "as 2026-12-24 or 2026-12-24T18:00"
HEADS = ("id", "location", "name", "active", "confirmation", "responsible")
TEXTS = ("latitude", "longitude", "responsible")
SWITCHES = {"active": "is_active", "needs_confirmation": "needs_confirmation"}
LISTS = {"equipment": "equipment", "video_system": "video_systems"}
SETS = {"manager": "managers", "booker": "booking_list"}


def add_commands(commands: Commands) -> None:
    """Add the commands of locations and rooms; USER may be a group, as group:ID."""
    locations = add_noun(commands, "location", "places with rooms")
    place = add_verb(locations, "create", "add a location", _create_location, "name")
    place.add_argument("--timezone", default="UTC", help="what its clocks go by")
    add_list(locations, "show all locations", _list_locations)

    found = add_noun(commands, "room", "rooms that can be booked")
    create = add_verb(found, "create", "add a room", _create, "location", "id")
    create.add_argument("--building", type=int, required=True)
    create.add_argument("--floor", required=True)
    create.add_argument("--number", required=True)
    create.add_argument("--name", default="")
    _add_options(create)
    _add_options(add_verb(found, "change", "change what is given", _change, "id"))
    for verb, work, about in (
        ("close", _close, "let nobody book it from START to END"),
        ("reopen", _reopen, "take that back"),
        ("block", _block, "keep it for some people from START to END"),
    ):
        parser = add_verb(found, verb, about, work, "id")
        for name in ("start", "end"):
            parser.add_argument(name, metavar=name.upper(), help=WHEN)
    parser.add_argument("--by", metavar="USER", required=True, help="who keeps it")
    parser.add_argument("--for", dest="allowed", metavar="USER", nargs="*", default=())
    for verb, work, about in (
        ("users", _users, "who may use the rooms; everybody, if nobody is named"),
        ("managers", _managers, "who may book every room"),
    ):
        add_verb(found, verb, about, work).add_argument("users", metavar="USER", nargs="*")
    add_list(found, "show all rooms", _list)


def _add_options(parser: Any) -> None:
    for name in TEXTS:
        parser.add_argument(f"--{name}")
    for name in SWITCHES:
        parser.add_argument(f"--{name.replace('_', '-')}", choices=("yes", "no"))
    for name in (*LISTS, *SETS):
        parser.add_argument(f"--{name.replace('_', '-')}", action="append")


def _create_location(options: Namespace, connection: Connection) -> str:
    try:
        location = Location(options.name, options.timezone)
    except (KeyError, ValueError, OSError):
        raise CatalogueException(
            f"{options.timezone!r} is no time zone: use one as Europe/Zurich"
        ) from None
    rooms(connection).add_location(location)
    return f"location {location.name}, {location.timezone}"


def _list_locations(options: Namespace, connection: Connection) -> str:
    found = rooms(connection).locations.values()
    rows = ((one.name, one.timezone, len(one.rooms)) for one in found)
    return listed(options, ("name", "timezone", "rooms"), rows)


def _create(options: Namespace, connection: Connection) -> str:
    location = rooms(connection).locations.get(options.location)
    if location is None:
        raise CatalogueException(f"there is no location {options.location!r}")
    room = location.add_room(
        _number(options.id), options.building, options.floor, options.number, options.name
    )
    room.update(**_changes(options, connection))
    return f"room {room.id}, {room.getFullName()}"


def _change(options: Namespace, connection: Connection) -> str:
    room = _room(options, connection)
    room.update(**_changes(options, connection))
    return f"room {room.id}, {room.getFullName()}"


def _close(options: Namespace, connection: Connection) -> str:
    _room(options, connection).close_for(_slots(options))
    return f"room {options.id} is closed from {options.start} to {options.end}"


def _reopen(options: Namespace, connection: Connection) -> str:
    _room(options, connection).reopen_for(_slots(options))
    return f"room {options.id} is not closed from {options.start} to {options.end}"


def _block(options: Namespace, connection: Connection) -> str:
    slots = _slots(options)
    allowed = _principals(options.allowed, connection)
    blocking = Blocking(slots.begin.date(), slots.end.date(), options.by, allowed)
    _room(options, connection).block(blocking)
    return f"room {options.id} is kept for {options.by} from {blocking.start} to {blocking.end}"


def _users(options: Namespace, connection: Connection) -> str:
    rooms(connection).users = _principals(options.users, connection)
    return f"the rooms are for {', '.join(options.users) or 'everybody'}"


def _managers(options: Namespace, connection: Connection) -> str:
    rooms(connection).managers = _principals(options.users, connection)
    return f"managers of the rooms: {', '.join(options.users) or 'nobody'}"


def _list(options: Namespace, connection: Connection) -> str:
    rows = (
        (
            *(room.id, room.location.name, room.getFullName()),
            *(room.is_active, room.needs_confirmation, room.responsible),
        )
        for room in rooms(connection).rooms.values()
    )
    return listed(options, HEADS, rows)


def _room(options: Namespace, connection: Connection) -> Room:
    room: Room | None = rooms(connection).rooms.get(_number(options.id))
    if room is None:
        raise CatalogueException(f"there is no room {options.id}")
    return room


def _changes(options: Namespace, connection: Connection) -> dict[str, Any]:
    given = {name: value for name, value in vars(options).items() if value is not None}
    return {
        **{name: given[name] for name in TEXTS if name in given},
        **{name: given[option] == "yes" for option, name in SWITCHES.items() if option in given},
        **{name: tuple(given[option]) for option, name in LISTS.items() if option in given},
        **{
            name: _principals(given[option], connection)
            for option, name in SETS.items()
            if option in given
        },
    }


def _principals(texts: Iterable[str], connection: Connection) -> frozenset[Principal]:
    return frozenset(principal(text, connection) for text in texts)


def _slots(options: Namespace) -> Slots:
    try:
        start, end = _moment(options.start, time.min), _moment(options.end, time.max)
        return Slots(start, end - start, start.date())
    except ValueError as error:
        raise CatalogueException(f"{options.start} to {options.end}: {error}") from None


def _number(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise CatalogueException(f"a room has a number, not {text!r}")
    return int(text)


def _moment(text: str, edge: time) -> datetime:
    moment = datetime.fromisoformat(text).replace(tzinfo=None)
    return moment if "T" in text else datetime.combine(moment.date(), edge)
