"""The schedule of an event: `/export/event/ID/schedule.xml` and `.json`, for conference apps."""

from __future__ import annotations

from export.errors import UnknownResource
from export.fossils.conference import IConferenceWithContribsFossil
from export.http.question import Question
from export.http.result import ResultPage
from export.http.selection import AT
from export.model.catalogue import catalogue
from export.resource import Resource


def answer(question: Question) -> ResultPage:
    """Return the programme of an event as frab has it in JSON, and pentabarf in XML.

    It has the talks that the caller may see, and that have a time.
    """
    event_id = question.arguments["event"]
    event = catalogue().event(event_id)
    if event is None or not question.view.shows(event):
        raise UnknownResource(f"There is no event {event_id}")
    return ResultPage([question.view.show(event, IConferenceWithContribsFossil)])


RESOURCE = Resource(
    "schedule_of_event",
    ("/export/event/<word:event>/schedule.<word:format>",),
    answer,
    formats=("xml", "json"),
    writers={"xml": "pentabarf", "json": "frab"},
    parameters=(AT,),
)
