"""Contributions of an event: `/export/event/EVENT/contribution/ID[-ID...]`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from export.errors import UnknownResource
from export.fossils.contribution import IContributionFossil, IContributionWithSubContribsFossil
from export.http.listing import listed
from export.http.question import Detail, Question
from export.http.result import ResultPage
from export.http.selection import IN_CALENDAR, LISTED
from export.model.catalogue import catalogue
from export.model.conference import Conference
from export.resource import Resource

FORMATS = ("json", "jsonp", "xml", "ics", "atom")
DETAILS = {
    "contributions": Detail(IContributionFossil, 500),
    "subcontributions": Detail(IContributionWithSubContribsFossil, 500),
}


def answer(question: Question) -> ResultPage:
    """Return some contributions of an event by their ids."""
    return listed(question, _contributions, _shows).page()


def _shows(question: Question) -> Callable[[Any], dict[str, Any]]:
    event, view = event_of(question), question.view
    return lambda one: {**view.show(one, question.fossil, event), "conferenceId": event.getId()}


def event_of(question: Question) -> Conference:
    """Return the event that the address names.

    Raises UnknownResource; an event that the caller may see nothing of is unknown to them.
    """
    event_id, shows = question.arguments["event"], question.view.shows
    event = catalogue().event(event_id)
    if event is None or not (shows(event) or any(map(shows, event.parts()))):
        raise UnknownResource(f"There is no event {event_id}")
    return event


def _contributions(question: Question) -> Iterator[Any]:
    event = event_of(question)
    for contribution_id in question.ids():
        contribution = event.getContributionById(contribution_id)
        if contribution is not None and question.view.shows(contribution):
            yield contribution


RESOURCE = Resource(
    "contributions",
    ("/export/event/<word:event>/contribution/<words:idlist>.<word:format>",),
    answer,
    formats=FORMATS,
    details=DETAILS,
    parameters=(*LISTED, *IN_CALENDAR),
)
