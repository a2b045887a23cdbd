"""Rooms by name: `/export/roomName/LOCATION/NAME`, for everybody (reference 5.3.8)."""

from __future__ import annotations

import re

from export.fossils.room import IRoomFossil
from export.http.page import cut
from export.http.request import ExportRequest, select
from export.http.result import ResultPage
from export.http.view import View
from export.rooms.registry import rooms
from export.settings import ExportSettings

PATTERN = re.compile(r"/export/roomName/(?P<location>[\w\s]+)/(?P<name>[\w\s/-]+)\.(?P<format>\w+)")
FORMATS = ("json", "jsonp", "xml")
MAXIMA = {"rooms": 500}


def answer(
    request: ExportRequest, match: re.Match[str], user: str | None, settings: ExportSettings
) -> ResultPage:
    """Return the rooms of a location whose full name has NAME in it, whatever the case.

    Raises RequestException.
    """
    view = View(user, select(request, MAXIMA, "rooms", settings.zone), settings)
    location = rooms().locations.get(match["location"])
    page = cut(location.find_rooms(match["name"]) if location is not None else (), view.selection)
    return ResultPage([view.show(room, IRoomFossil, False) for room in page.members], page.complete)
