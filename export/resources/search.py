"""Events by words of their titles: `/export/event/search/TERM` (reference 5.3.4)."""

from __future__ import annotations

from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

from export.fossils.placed import in_zone
from export.http.page import in_order
from export.http.question import Question
from export.http.result import ResultPage
from export.http.selection import AT, COMMON
from export.model.catalogue import catalogue
from export.resource import Resource

FORMATS = ("json", "jsonp", "xml")
UTC = ZoneInfo("UTC")


def answer(question: Question) -> ResultPage:
    """Return the events whose title has every word of the term.

    The best match comes first; an order that is asked for is that of the matches which the
    limit leaves.
    """
    selection, view = question.selection, question.view
    found = catalogue()
    hits = (found.event(event_id) for event_id in found.index.search(question.arguments["term"]))
    seen = (event for event in hits if event is not None and view.shows(event))
    best = islice(seen, selection.offset, selection.offset + selection.limit)
    return ResultPage([_show(event) for event in in_order(best, selection)])


def _show(event: Any) -> dict[str, Any]:
    return {
        "id": event.getId(),
        "title": event.getTitle(),
        "startDate": in_zone(event.getStartDate(), UTC),
        "hasAnyProtection": event.hasAnyProtection(),
    }


RESOURCE = Resource(
    "event_search",
    ("/export/event/search/<id:term>.<word:format>",),
    answer,
    formats=FORMATS,
    usual_detail="events",
    parameters=(*COMMON, AT),
)
