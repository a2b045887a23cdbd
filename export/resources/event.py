"""Events by id: `/export/event/ID[-ID...]` (reference 5.3.2)."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from typing import Any

from export.fossilize import fossilize
from export.fossils.conference import (
    IConferenceFossil,
    IConferenceWithContribsFossil,
    IConferenceWithSessionsFossil,
    IConferenceWithSubContribsFossil,
)
from export.fossils.placed import IPeriodFossil
from export.http.page import cut
from export.http.request import ExportRequest, select
from export.http.result import ResultPage
from export.http.view import View
from export.model.catalogue import catalogue
from export.model.conference import Conference
from export.settings import ExportSettings

log = logging.getLogger(__name__)

PATTERN = re.compile(r"/export/event/(?P<idlist>\w+(?:[-,]\w+)*)\.(?P<format>\w+)", re.ASCII)
FORMATS = ("json", "jsonp", "xml", "html", "ics", "atom")
MAXIMA = {"events": 1000, "contributions": 500, "subcontributions": 500, "sessions": 100}
UNSHOWABLE = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""Errors that showing an event raises because of its content."""

FOSSILS = {
    "events": IConferenceFossil,
    "contributions": IConferenceWithContribsFossil,
    "subcontributions": IConferenceWithSubContribsFossil,
    "sessions": IConferenceWithSessionsFossil,
}


def answer(
    request: ExportRequest, match: re.Match[str], user: str | None, settings: ExportSettings
) -> ResultPage:
    """Return the events that *match* names and *user* may see. Raises RequestException."""
    view = View(user, select(request, MAXIMA, "events", settings.zone), settings)
    page = cut(_events(match["idlist"], view), view.selection)
    return ResultPage(show_events(page.members, request, view), page.complete)


def show_events(
    events: list[Conference], request: ExportRequest, view: View
) -> list[dict[str, Any]]:
    """Return *events* in the detail that is asked for, with their occurrences if they are.

    An event with something in it that cannot be shown is left out, which is logged, so that it
    does not take others with it; where nothing can be shown, its error is raised.
    """
    occurrences = request.take_flag("occ", "occurrences")
    shown: list[dict[str, Any]] = []
    failed: list[Exception] = []
    for event in events:
        try:
            shown.append(_show(event, view, occurrences))
        except UNSHOWABLE as error:
            log.exception("event %s left out of an answer", event.getId())
            failed.append(error)
    if failed and not shown:
        raise failed[0]
    return shown


def _events(idlist: str, view: View) -> Iterator[Conference]:
    found = catalogue()
    for event_id in dict.fromkeys(re.split("[-,]", idlist)):
        event = found.event(event_id)
        if event is not None and view.shows(event):
            yield event


def _show(event: Conference, view: View, occurrences: bool) -> dict[str, Any]:
    selection = view.selection
    shown: dict[str, Any] = view.show(event, FOSSILS[selection.detail])
    if occurrences:
        periods = event.getOccurrences(selection.start, selection.end)
        shown["occurrences"] = fossilize(periods, IPeriodFossil, tz=selection.tz)
    return shown
