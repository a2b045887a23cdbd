"""The slots of an event's sessions: `/export/event/EVENT/session/ID[-ID...]`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from export.fossils.session import ISlotWithContributionsFossil, ISlotWithSubContribsFossil
from export.http.page import cut
from export.http.question import Detail, Question
from export.http.result import ResultPage
from export.http.selection import ALARMS, COMMON
from export.model.conference import Conference
from export.resource import Resource
from export.resources.contribution import FORMATS, event_of

DETAILS = {
    "contributions": Detail(ISlotWithContributionsFossil, 500),
    "subcontributions": Detail(ISlotWithSubContribsFossil, 500),
}


def answer(question: Question) -> ResultPage:
    """Return all slots of some sessions of an event by the sessions' ids."""
    view, fossil = question.view, question.fossil
    event = event_of(question)
    page = cut(_slots(event, question), question.selection)
    return ResultPage([view.show(slot, fossil, event) for slot in page.members], page.complete)


def _slots(event: Conference, question: Question) -> Iterator[Any]:
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
    parameters=(*COMMON, ALARMS),
)
