"""The events of a user's categories: `/export/user/categ_events`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from export.errors import RefusedRequest, UnknownResource
from export.fossils.category import IBasicConferenceFossil
from export.model.catalogue import Catalogue, catalogue
from export.model.group import is_among
from export.model.user import Avatar, users
from export.page import cut
from export.request import ExportRequest, select
from export.resources.user import is_admin
from export.result import Results
from export.settings import Settings
from export.view import View

PATTERN = re.compile(r"/export/user/categ_events\.(?P<format>\w+)", re.ASCII)
FORMATS = ("json", "jsonp", "xml")


def answer(
    request: ExportRequest, match: re.Match[str], user: str | None, settings: Settings
) -> Results:
    """Return the events of the categories that a user has chosen as favourites or manages.

    The user is the caller, or `userid` for administrators. Raises RequestException.
    """
    if user is None:
        raise RefusedRequest("Guest access to this resource is forbidden.")
    selection = select(request, {"basic_events": 1000}, "basic_events", settings.zone)
    wanted = request.take("uid", "userid") or user
    if wanted != user and not is_admin(user):
        raise RefusedRequest("Access denied")
    avatar = users().find(wanted)
    if avatar is None:
        raise UnknownResource("Avatar does not exist")
    view = View(user, selection, settings)
    page = cut(_events(avatar, view), selection)
    return Results(
        [view.show(event, IBasicConferenceFossil) for event in page.members], page.complete
    )


def _events(avatar: Avatar, view: View) -> Iterator[Any]:
    found = catalogue()
    ids = (
        event_id
        for category_id in dict.fromkeys((*avatar.favorites, *_managed(found, avatar.id)))
        for event_id in found.index.between(category_id, view.selection.start, view.selection.end)
    )
    for event_id in dict.fromkeys(ids):
        event = found.event(event_id)
        if event is not None and view.shows(event):
            yield event


def _managed(found: Catalogue, user: str) -> Iterator[str]:
    for category_id, category in found.categories.items():
        if is_among(user, category.getManagerList()):
            yield category_id
