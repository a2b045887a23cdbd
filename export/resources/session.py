"""The slots of an event's sessions: `/export/event/EVENT/session/ID[-ID...]`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from export.fossils.session import ISlotWithContributionsFossil, ISlotWithSubContribsFossil
from export.http.listing import listed
from export.http.question import Detail, Question
from export.http.result import ResultPage
from export.http.selection import IN_CALENDAR, LISTED
from export.resource import Resource
from export.resources.contribution import FORMATS, event_of

DETAILS = {
    "contributions": Detail(ISlotWithContributionsFossil, 500),
    "subcontributions": Detail(ISlotWithSubContribsFossil, 500),
}


def answer(question: Question) -> ResultPage:
    """Return all slots of some sessions of an event by the sessions' ids."""
    return listed(question, _slots, _shows, identify=_identify).page()


def _shows(question: Question) -> Callable[[Any], dict[str, Any]]:
    event = event_of(question)
    return lambda slot: question.view.show(slot, question.fossil, event)


def _identify(slot: Any) -> tuple[str, str]:
    return slot.session.getId(), slot.getId()


def _slots(question: Question) -> Iterator[Any]:
    event = event_of(question)
    for session_id in question.ids():
        session = event.sessions.get(session_id)
        if session is not None:
            yield from (slot for slot in session.slots if question.view.shows(slot))


RESOURCE = Resource(
    "session_slots",
    ("/export/event/<word:event>/session/<words:idlist>.<word:format>",),
    answer,
    formats=FORMATS,
    details=DETAILS,
    parameters=(*LISTED, *IN_CALENDAR),
)
