"""Events by id: `/export/event/ID[-ID...]` (reference 5.3.2)."""

from __future__ import annotations

import logging
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
from export.http.listing import UNSHOWABLE, listed
from export.http.parameter import Flag
from export.http.question import Detail, Question
from export.http.result import ResultPage
from export.http.selection import IN_CALENDAR, LISTED
from export.model.catalogue import catalogue
from export.model.conference import Conference
from export.resource import Resource

log = logging.getLogger(__name__)

FORMATS = ("json", "jsonp", "xml", "html", "ics", "atom")
DETAILS = {
    "events": Detail(IConferenceFossil, 1000),
    "contributions": Detail(IConferenceWithContribsFossil, 500),
    "subcontributions": Detail(IConferenceWithSubContribsFossil, 500),
    "sessions": Detail(IConferenceWithSessionsFossil, 100),
}
OCCURRENCES = Flag("occurrences", "With `yes` each object has its times of each day.", ("occ",))


def answer(question: Question) -> ResultPage:
    """Return some events by their ids; those that the caller may not see are left out."""
    return listed(question, _events, show_events).page()


def show_events(events: list[Conference], question: Question) -> list[dict[str, Any]]:
    """Return *events* in the detail that is asked for, with their occurrences if they are.

    An event with something in it that cannot be shown is left out, which is logged, so that it
    does not take others with it; where nothing can be shown, its error is raised.
    """
    occurrences = OCCURRENCES.of(question.request)
    shown: list[dict[str, Any]] = []
    failed: list[Exception] = []
    for event in events:
        try:
            shown.append(_show(event, question, occurrences))
        except UNSHOWABLE as error:
            log.exception("event %s left out of an answer", event.getId())
            failed.append(error)
    if failed and not shown:
        raise failed[0]
    return shown


def _events(question: Question) -> Iterator[Conference]:
    found, view = catalogue(), question.view
    for event_id in question.ids():
        event = found.event(event_id)
        if event is not None and view.shows(event):
            yield event


def _show(event: Conference, question: Question, occurrences: bool) -> dict[str, Any]:
    selection = question.selection
    shown: dict[str, Any] = question.view.show(event, question.fossil)
    if occurrences:
        periods = event.getOccurrences(selection.start, selection.end)
        shown["occurrences"] = fossilize(periods, IPeriodFossil, tz=selection.tz)
    return shown


RESOURCE = Resource(
    "events",
    ("/export/event/<words:idlist>.<word:format>",),
    answer,
    formats=FORMATS,
    details=DETAILS,
    parameters=(*LISTED, *IN_CALENDAR, OCCURRENCES),
)
