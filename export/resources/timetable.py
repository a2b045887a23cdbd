"""The timetables of events: `/export/timetable/ID[-ID...]` (reference 5.3.3)."""

from __future__ import annotations

from typing import Any

from export.errors import UnknownResource
from export.fossils.timetable import ENTRY_FOSSILS, by_key
from export.http.question import Question
from export.http.result import ResultPage
from export.http.selection import AT, COMMON
from export.http.view import View
from export.model.catalogue import catalogue
from export.model.timetable import timetable
from export.resource import Resource

FORMATS = ("json", "jsonp", "xml")


def answer(question: Question) -> ResultPage:
    """Return for each event its days, and for each day its entries by their keys.

    Events that the caller may not see are left out; a single one is unknown then.
    """
    view, ids = question.view, question.ids()
    events = [catalogue().event(event_id) for event_id in ids]
    shown = [event for event in events if event is not None and view.shows(event)]
    if not shown and len(ids) == 1:
        raise UnknownResource(f"There is no event {ids[0]}")
    return ResultPage({event.getId(): _days(event, view) for event in shown})


def _days(event: Any, view: View) -> dict[str, Any]:
    days = timetable(event, view.shows, view.selection.tz)
    return {
        day.isoformat().replace("-", ""): by_key(view.show(entries, ENTRY_FOSSILS, event))
        for day, entries in days.items()
    }


RESOURCE = Resource(
    "timetables",
    ("/export/timetable/<words:idlist>.<word:format>",),
    answer,
    formats=FORMATS,
    parameters=(*COMMON, AT),
)
