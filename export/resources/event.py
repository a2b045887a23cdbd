"""Events by id: `/export/event/ID[-ID...]` (reference 5.3.2)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from export.fossilize import fossilize
from export.fossils.conference import (
    IConferenceFossil,
    IConferenceWithContribsFossil,
    IConferenceWithSessionsFossil,
    IConferenceWithSubContribsFossil,
)
from export.fossils.placed import IPeriodFossil
from export.http.listing import listed
from export.http.parameter import Flag
from export.http.question import Detail, Question
from export.http.result import ResultPage
from export.http.selection import IN_CALENDAR, LISTED
from export.model.catalogue import catalogue
from export.model.conference import Conference
from export.resource import Resource

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
    return listed(question, _events, shows_events).page()


def shows_events(question: Question) -> Callable[[Conference], dict[str, Any]]:
    """Return what shows an event in the detail asked for, with its occurrences if they are."""
    occurrences, selection = OCCURRENCES.of(question.request), question.selection

    def show(event: Conference) -> dict[str, Any]:
        shown: dict[str, Any] = question.view.show(event, question.fossil)
        if occurrences:
            periods = event.getOccurrences(selection.start, selection.end)
            shown["occurrences"] = fossilize(periods, IPeriodFossil, tz=selection.tz)
        return shown

    return show


def _events(question: Question) -> Iterator[Conference]:
    found, view = catalogue(), question.view
    for event_id in question.ids():
        event = found.event(event_id)
        if event is not None and view.shows(event):
            yield event


RESOURCE = Resource(
    "events",
    ("/export/event/<words:idlist>.<word:format>",),
    answer,
    formats=FORMATS,
    details=DETAILS,
    parameters=(*LISTED, *IN_CALENDAR, OCCURRENCES),
)
