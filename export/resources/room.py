"""Rooms by id: `/export/room/LOCATION/ID[-ID...]` (reference 5.3.8)."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from export.errors import MalformedRequest
from export.fossils.room import (
    IRoomFossil,
    IRoomReservationFossil,
    IRoomWithReservationsFossil,
)
from export.http.listing import listed
from export.http.page import cut
from export.http.question import Detail, Question
from export.http.request import ExportRequest
from export.http.result import ResultPage
from export.http.selection import LISTED
from export.http.view import View
from export.resource import Resource
from export.resources.reservation import FILTERS, admitted, filters, in_range, shows
from export.rooms.room import Room

FORMATS = ("json", "jsonp", "xml")
DETAILS = {
    "rooms": Detail(IRoomFossil, 500),
    "reservations": Detail(IRoomWithReservationsFossil, 10),
}
MOST = 10**6
"""How many reservations of a room are shown where no limit is asked for: all there are."""

NUMBER = re.compile(r"\s*[0-9]{1,18}\s*")


def answer(question: Question) -> ResultPage:
    """Return some rooms of a location by their ids; those that do not exist are left out.

    In detail `reservations` limit, offset and order are those of each room's reservations.
    """
    admitted(question.user, question.past)
    view = question.view
    if view.selection.detail == "rooms":
        return listed(question, _rooms, _shows).page()
    if question.past is not None and question.past.before is not None:
        raise MalformedRequest(
            "'since' tells what changed of rooms; ask /export/reservation for reservations"
        )
    found, most = _rooms(question), DETAILS["reservations"].most
    shown = [_with_reservations(room, question.request, view) for room in found[:most]]
    return ResultPage(shown, len(found) <= most)


def _shows(question: Question) -> Callable[[Room], Any]:
    return lambda room: question.view.show(room, IRoomFossil, False)


def _rooms(question: Question) -> list[Room]:
    registry = admitted(question.user, question.past)
    names = question.ids()
    if not all(map(NUMBER.fullmatch, names)):
        raise MalformedRequest("Room IDs must be numeric")
    place = registry.locations.get(question.arguments["location"])
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


RESOURCE = Resource(
    "rooms",
    ("/export/room/<name:location>/<room_ids:idlist>.<word:format>",),
    answer,
    formats=FORMATS,
    details=DETAILS,
    parameters=(*LISTED, *FILTERS),
)
