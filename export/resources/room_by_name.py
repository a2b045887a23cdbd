"""Rooms by name: `/export/roomName/LOCATION/NAME`, for everybody (reference 5.3.8)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from export.fossils.room import IRoomFossil
from export.http.listing import listed
from export.http.question import Detail, Question
from export.http.result import ResultPage
from export.http.selection import LISTED
from export.resource import Resource
from export.rooms.registry import rooms
from export.rooms.room import Room

FORMATS = ("json", "jsonp", "xml")
DETAILS = {"rooms": Detail(IRoomFossil, 500)}


def answer(question: Question) -> ResultPage:
    """Return the rooms of a location whose full name has the name in it, whatever the case."""
    return listed(question, _named, _shows).page()


def _named(question: Question) -> Iterable[Room]:
    location = rooms().locations.get(question.arguments["location"])
    return location.find_rooms(question.arguments["name"]) if location is not None else ()


def _shows(question: Question) -> Callable[[Room], Any]:
    return lambda room: question.view.show(room, IRoomFossil, False)


RESOURCE = Resource(
    "rooms_by_name",
    ("/export/roomName/<name:location>/<full_name:name>.<word:format>",),
    answer,
    formats=FORMATS,
    details=DETAILS,
    parameters=LISTED,
)
