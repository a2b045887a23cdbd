"""Video bookings: `/export/video/SERVICE[-SERVICE...]` (reference 5.3.9)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import chain
from typing import TypeAlias

from export.errors import RefusedRequest
from export.fossils.video import ICollaborationFossil
from export.http.page import cut
from export.http.parameter import Parameter
from export.http.question import Question
from export.http.request import ExportRequest
from export.http.result import ResultPage
from export.http.selection import ALARMS, COMMON, IN_CALENDAR, MAXIMUM, Selection, select
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
    request, user, settings = question.request, question.user, question.settings
    if user is None:
        raise RefusedRequest("Guest access to this resource is forbidden.")
    maxima = {request.take("d", "detail") or ALL: MAXIMUM, **MAXIMA}  # any word is a detail
    in_calendar = question.arguments["format"] == "ics"
    view = View(user, select(request, maxima, ALL, settings.zone), settings, in_calendar)
    alarm, category = _alarm(request), CATEGORY.of(request)
    found = chain.from_iterable(_of_service(name, category, view) for name in question.ids())
    page = cut({one.getId(): one for one in found}.values(), view.selection)
    shown = [{**view.show(one, ICollaborationFossil, False), **alarm} for one in page.members]
    return ResultPage(shown, page.complete)


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
    parameters=(*COMMON, *IN_CALENDAR, CATEGORY),
    shows=ICollaborationFossil,
)
