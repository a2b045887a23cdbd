"""Rooms by id: `/export/room/LOCATION/ID[-ID...]` (reference 5.3.8)."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from export.errors import MalformedRequest
from export.fossils.room import (
    IRoomFossil,
    IRoomReservationFossil,
    IRoomWithReservationsFossil,
)
from export.http.page import cut
from export.http.request import ExportRequest, select
from export.http.result import ResultPage
from export.http.view import View
from export.resources.reservation import admitted, filters, in_range, shows
from export.rooms.registry import Registry
from export.rooms.room import Room
from export.settings import ExportSettings

PATTERN = re.compile(
    r"/export/room/(?P<location>[\w\s]+)/(?P<idlist>\w+(?:[-,][\w\s]+)*)\.(?P<format>\w+)"
)
FORMATS = ("json", "jsonp", "xml")
MAXIMA = {"rooms": 500, "reservations": 10}
MOST = 10**6
"""How many reservations of a room are shown where no limit is asked for: all there are."""

NUMBER = re.compile(r"\s*[0-9]{1,18}\s*")


def answer(
    request: ExportRequest, match: re.Match[str], user: str | None, settings: ExportSettings
) -> ResultPage:
    """Return the rooms that *match* names, by their ids; those that do not exist are left out.

    In detail `reservations` limit, offset and order are those of each room's reservations.

    Raises RequestException; RefusedRequest for who may not use the rooms.
    """
    registry = admitted(user)
    view = View(user, select(request, MAXIMA, "rooms", settings.zone), settings)
    found = _rooms(registry, match["location"], match["idlist"])
    if view.selection.detail == "rooms":
        page = cut(found, view.selection)
        shown = [view.show(room, IRoomFossil, False) for room in page.members]
        return ResultPage(shown, page.complete)
    most = MAXIMA["reservations"]
    shown = [_with_reservations(room, request, view) for room in found[:most]]
    return ResultPage(shown, len(found) <= most)


def _rooms(registry: Registry, location: str, idlist: str) -> list[Room]:
    names = re.split("[-,]", idlist)
    if not all(map(NUMBER.fullmatch, names)):
        raise MalformedRequest("Room IDs must be numeric")
    place = registry.locations.get(location)
    found = place.rooms if place is not None else {}
    return [found[number] for number in sorted(set(map(int, names))) if number in found]


def _with_reservations(room: Room, request: ExportRequest, view: View) -> Any:
    wanted, show = filters(request), shows(request, view, IRoomReservationFossil)
    found = in_range(room, room.location.zone, view.selection)
    asked = view.selection
    selection = asked if asked.limit_is_given else replace(asked, limit=MOST)
    page = cut((one for one in found if wanted(one)), selection)
    return {
        **view.show(room, IRoomWithReservationsFossil, False),
        "reservations": [show(one) for one in page.members],
    }
