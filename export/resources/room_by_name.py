"""Rooms by name: `/export/roomName/LOCATION/NAME`, for everybody (reference 5.3.8)."""

from __future__ import annotations

from export.fossils.room import IRoomFossil
from export.http.page import cut
from export.http.question import Detail, Question
from export.http.result import ResultPage
from export.http.selection import COMMON
from export.resource import Resource
from export.rooms.registry import rooms

FORMATS = ("json", "jsonp", "xml")
DETAILS = {"rooms": Detail(IRoomFossil, 500)}


def answer(question: Question) -> ResultPage:
    """Return the rooms of a location whose full name has the name in it, whatever the case."""
    view, name = question.view, question.arguments["name"]
    location = rooms().locations.get(question.arguments["location"])
    page = cut(location.find_rooms(name) if location is not None else (), view.selection)
    return ResultPage([view.show(room, IRoomFossil, False) for room in page.members], page.complete)


RESOURCE = Resource(
    "rooms_by_name",
    ("/export/roomName/<name:location>/<full_name:name>.<word:format>",),
    answer,
    formats=FORMATS,
    details=DETAILS,
    parameters=COMMON,
)
