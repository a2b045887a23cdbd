"""Events by words of their titles: `/export/event/search/TERM` (reference 5.3.4)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

from export.fossils.placed import in_zone
from export.http.listing import listed
from export.http.page import in_order
from export.http.question import Question
from export.http.result import ResultPage
from export.http.selection import LISTED
from export.model.catalogue import catalogue
from export.model.conference import Conference
from export.resource import Resource

FORMATS = ("json", "jsonp", "xml")
UTC = ZoneInfo("UTC")
EVENT = Conference.__name__


def answer(question: Question) -> ResultPage:
    """Return the events whose title has every word of the term.

    The best match comes first; an order that is asked for is that of the matches which the
    limit leaves.
    """
    selection = question.selection
    if question.past is not None and question.past.before is not None:
        page = listed(question, _hits, lambda _: _show).page()
        vanished = [{"_type": EVENT, **one} for one in page.vanished or ()]
        return replace(page, vanished=vanished)
    best = islice(_hits(question), selection.offset, selection.offset + selection.limit)
    return ResultPage([_show(event) for event in in_order(best, selection)])


def _hits(question: Question) -> Iterator[Conference]:
    found, view = catalogue(), question.view
    hits = (found.event(event_id) for event_id in found.index.search(question.arguments["term"]))
    return (event for event in hits if event is not None and view.shows(event))


def _show(event: Conference) -> dict[str, Any]:
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
    parameters=LISTED,
)
