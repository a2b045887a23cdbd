"""The slots of an event's sessions: `/export/event/EVENT/session/ID[-ID...]`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from export.fossils.session import ISlotWithContributionsFossil, ISlotWithSubContribsFossil
from export.http.page import cut
from export.http.request import ExportRequest, select
from export.http.result import ResultPage
from export.http.view import View
from export.model.conference import Conference
from export.resources.contribution import FORMATS, MAXIMA, event_of
from export.settings import ExportSettings

__all__ = ["FORMATS", "PATTERN", "answer"]

PATTERN = re.compile(
    r"/export/event/(?P<event>\w+)/session/(?P<idlist>\w+(?:[-,]\w+)*)\.(?P<format>\w+)",
    re.ASCII,
)
FOSSILS = {
    "contributions": ISlotWithContributionsFossil,
    "subcontributions": ISlotWithSubContribsFossil,
}


def answer(
    request: ExportRequest, match: re.Match[str], user: str | None, settings: ExportSettings
) -> ResultPage:
    """Return all slots of the sessions that *match* names and *user* may see.

    Raises RequestException.
    """
    view = View(user, select(request, MAXIMA, "contributions", settings.zone), settings)
    event = event_of(match, view)
    page = cut(_slots(event, match["idlist"], view), view.selection)
    fossil = FOSSILS[view.selection.detail]
    return ResultPage([view.show(slot, fossil, event) for slot in page.members], page.complete)


def _slots(event: Conference, idlist: str, view: View) -> Iterator[Any]:
    for session_id in dict.fromkeys(re.split("[-,]", idlist)):
        session = event.sessions.get(session_id)
        if session is not None:
            yield from (slot for slot in session.slots if view.shows(slot))
