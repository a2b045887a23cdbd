"""Video bookings: `/export/video/SERVICE[-SERVICE...]` (reference 5.3.9)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from datetime import datetime
from itertools import chain
from typing import Any, TypeAlias

from export.errors import RefusedRequest
from export.fossils.video import ICollaborationFossil
from export.http.listing import listed
from export.http.parameter import Parameter
from export.http.question import Detail, Question
from export.http.request import ExportRequest
from export.http.result import ResultPage
from export.http.selection import ALARMS, DETAIL, IN_CALENDAR, LISTED, MAXIMUM, Selection
from export.http.view import View
from export.model.catalogue import ROOT, catalogue
from export.model.video import REJECTED, REQUESTS, SERVICES, CSBooking, CSBookingInstanceWrapper
from export.resource import Resource

FORMATS = ("ics", "json", "jsonp", "xml")
MAXIMA = {"all": 100000, "vidyo": 50000, "webcast": 50000, "mcu": 50000, "evo": 50000}
CATEGORY = Parameter("categ", "The category that the events are in or below.")
ALL = "all"

Shown: TypeAlias = CSBooking | CSBookingInstanceWrapper


def answer(question: Question) -> ResultPage:
    """Return the bookings of some video services; rejected ones are left out."""
    if question.user is None:
        raise RefusedRequest("Guest access to this resource is forbidden.")
    words = {question.request.take(*DETAIL.names) or ALL: MAXIMUM, **MAXIMA}  # any word is a detail
    details = {word: Detail(ICollaborationFossil, most) for word, most in words.items()}
    page = listed(replace(question, details=details), _wanted, _shows).page()
    if page.vanished is None:
        return page
    return replace(page, vanished=[{**one, "id": one["uniqueId"]} for one in page.vanished])


def _wanted(question: Question) -> Collection[Shown]:
    view, category = question.view, CATEGORY.of(question.request)
    found = chain.from_iterable(_of_service(name, category, view) for name in question.ids())
    return {one.getId(): one for one in found}.values()


def _shows(question: Question) -> Callable[[Shown], dict[str, Any]]:
    alarm = _alarm(question.request)
    return lambda one: {**question.view.show(one, ICollaborationFossil, False), **alarm}


def _alarm(request: ExportRequest) -> dict[str, int]:
    minutes = ALARMS.of(request)
    return {} if minutes is None else {"alarm": minutes}


def _of_service(name: str, category: str | None, view: View) -> Iterator[Shown]:
    if name == ALL:
        yield from _plain(_bookings(category or ROOT, view), view)
    if name not in SERVICES:
        return
    kind = SERVICES[name]
    if kind in REQUESTS:
        wanted = (one for one in _bookings(ROOT, view) if one.type == kind)
        yield from (
            talk
            for request in wanted
            for talk in request.instances()
            if view.shows(talk.place) and _is_within(talk.getStartDate(), view.selection)
        )
    else:
        wanted = (one for one in _bookings(category or ROOT, view) if one.type == kind)
        yield from _plain(wanted, view)


def _plain(bookings: Iterator[CSBooking], view: View) -> Iterator[CSBooking]:
    return (
        one
        for one in bookings
        if view.shows(one.place) and _is_within(one.event.getStartDate(), view.selection)
    )


def _bookings(category: str, view: View) -> Iterator[CSBooking]:
    found = catalogue()
    for event_id in found.index.between(category, view.selection.start, view.selection.end):
        event = found.event(event_id)
        if event is not None and event.video_bookings and view.shows(event):
            yield from (one for one in event.video_bookings if one.status != REJECTED)


def _is_within(moment: datetime | None, selection: Selection) -> bool:
    if moment is None:
        return False
    is_early = selection.start is not None and moment < selection.start
    return not is_early and not (selection.end is not None and moment > selection.end)


RESOURCE = Resource(
    "video_bookings",
    ("/export/video/<words:idlist>.<word:format>",),
    answer,
    formats=FORMATS,
    most=MAXIMA[ALL],
    parameters=(*LISTED, *IN_CALENDAR, CATEGORY),
    shows=ICollaborationFossil,
)
