"""Reservations: `/export/reservation/LOCATION[-LOCATION...]` (reference 5.3.8)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, datetime
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

from export.errors import MalformedRequest, RefusedRequest
from export.fossilize import fossilize
from export.fossils.room import SLOTS, INaivePeriodFossil, IReservationFossil
from export.http.listing import listed
from export.http.parameter import Flag, Parameter
from export.http.past import Past
from export.http.question import Detail, Question
from export.http.request import ExportRequest
from export.http.result import ResultPage
from export.http.selection import IN_CALENDAR, LISTED, Selection
from export.http.view import View
from export.model.booking_slots import FIRST, LAST, TICK, Slots
from export.model.local_time import in_zone
from export.resource import Resource
from export.resources.categ import matches
from export.resources.event import OCCURRENCES
from export.rooms.registry import Location, Registry, rooms
from export.rooms.reservation import Reservation
from export.rooms.room import Room
from scheduler.clock import nowutc

FORMATS = ("json", "jsonp", "xml", "ics")
DETAILS = {"reservations": Detail(IReservationFossil, 100)}

Filter = Callable[[Reservation], bool]

FLAGS: dict[Flag, Filter] = {
    Flag("cancelled", "Cancelled ones, or with `no` the others.", ("cxl",)): (
        lambda one: one.is_cancelled
    ),
    Flag("rejected", "Rejected ones, or the others.", ("rej",)): lambda one: one.is_rejected,
    Flag("archival", "Those that are over, or the others.", ("arch", "archived")): (
        lambda one: one.getEndDate() < nowutc()
    ),
    Flag("repeating", "Those that repeat, or the others.", ("rec", "recurring", "rep")): (
        lambda one: one.slots.repeatability is not None
    ),
    Flag("avc", "Those for a video conference, or the others."): lambda one: one.uses_avc,
    Flag("avcsupport", "Those with help for the video conference.", ("avcs",)): (
        lambda one: one.needs_avc_support
    ),
    Flag("startupsupport", "Those with help to start up.", ("sts",)): (
        lambda one: one.needs_startup_support
    ),
}
"""Parameters that are `yes` or something else, and what they ask for."""

CONFIRMED = Parameter("confirmed", "With `yes`, `no` or `pending` those in that state.")
BOOKED_FOR = Parameter("bookedfor", "Whom it is booked for, with * and ?.", ("bf",))
OCCURS = Parameter("occurs", "Those with a slot on one of these days, as 2026-03-01,2026-03-02.")
FILTERS = (*FLAGS, CONFIRMED, BOOKED_FOR, OCCURS, OCCURRENCES)


def answer(question: Question) -> ResultPage:
    """Return the reservations at some locations, those of all states."""
    admitted(question.user, question.past)
    return listed(question, _reservations, _shows).page()


def _reservations(question: Question) -> Iterator[Reservation]:
    registry, wanted = admitted(question.user, question.past), filters(question.request)
    for name in sorted(question.ids("places")):
        place = registry.locations.get(name)
        if place is not None:
            yield from filter(wanted, in_range(place, place.zone, question.selection))


def _shows(question: Question) -> Callable[[Reservation], Any]:
    return shows(question.request, question.view, question.fossil)


def admitted(user: str | None, past: Past | None = None) -> Registry:
    """Return the rooms, for *user* to look at. Raises RefusedRequest.

    If they are those of the *past*, the user has to be let in now, too.
    """
    if user is None:
        raise RefusedRequest("Guest access to this resource is forbidden.")
    registry = rooms()
    is_let_in = registry.may_use(user)
    if not is_let_in or not (past is None or past.holds_now(registry, _lets(user))):
        raise RefusedRequest("Access to this resource is restricted.")
    return registry


def _lets(user: str) -> Callable[[Registry], bool]:
    return lambda registry: registry.may_use(user)


def filters(request: ExportRequest) -> Filter:
    """Return whether a reservation is one that *request* asks for; a flag not sent is no test."""
    tests: list[Filter] = []
    for flag, is_set in FLAGS.items():
        if request.take(*flag.names) is not None:
            tests.append(_flag(is_set, flag.of(request)))
    state, booked_for = CONFIRMED.of(request), BOOKED_FOR.of(request)
    if state == "pending":
        tests.append(lambda one: one.is_pending)
    elif state is not None:
        tests.append(_flag(lambda one: one.is_confirmed, state == "yes"))
    if booked_for:
        tests.append(lambda one: matches(one.booked_for, booked_for))
    days = _days(OCCURS.of(request))
    if days:
        tests.append(lambda one: any(map(one.slots.occurs_on, days)))
    return lambda one: all(accepts(one) for accepts in tests)


def _days(text: str | None) -> list[date]:
    try:
        return [date.fromisoformat(day.strip()) for day in (text or "").split(",") if day.strip()]
    except ValueError:
        raise MalformedRequest(f"Bad date in occurs: '{text}'; a date is as 2026-03-01") from None


def in_range(place: Room | Location, zone: ZoneInfo, selection: Selection) -> Iterator[Reservation]:
    """Yield the reservations of a room or location in the time that is asked for.

    From one day to another it is the time of day that counts, on each of them; where one
    side is open, all the time to or from the other.
    """
    if selection.start is None and selection.end is None:
        return place.reservations()
    start, end = _range(zone, selection)
    if end < start:
        return iter(())
    end = max(end, start + TICK)
    is_open = selection.start is None or selection.end is None
    slots = Slots(start, end - start, start.date()) if is_open else Slots.spanning(start, end)
    return place.reservations(slots)


def shows(request: ExportRequest, view: View, fossil: Any) -> Callable[[Reservation], Any]:
    """Return what shows a reservation by *fossil*, with its slots if they are asked for."""
    occurrences = OCCURRENCES.of(request)

    def show(reservation: Reservation) -> Any:
        shown = view.show(reservation, fossil, False)
        if occurrences:
            start, end = _range(reservation.zone, view.selection)
            periods = islice(reservation.getOccurrences(start, end), SLOTS)
            shown["occurrences"] = fossilize(periods, INaivePeriodFossil, tz=view.selection.tz)
        return shown

    return show


def _flag(is_set: Filter, wanted: bool) -> Filter:
    return lambda one: is_set(one) is wanted


def _range(zone: ZoneInfo, selection: Selection) -> tuple[datetime, datetime]:
    return _local(selection.start, zone, FIRST), _local(selection.end, zone, LAST)


def _local(moment: datetime | None, zone: ZoneInfo, limit: datetime) -> datetime:
    """Return *moment* by the clocks of *zone*; *limit* where it is open, or beyond that."""
    edge = limit.replace(tzinfo=zone)
    if moment is None or (moment < edge if limit is FIRST else moment > edge):
        return limit
    return in_zone(moment, zone).replace(tzinfo=None)


RESOURCE = Resource(
    "reservations",
    ("/export/reservation/<names:places>.<word:format>",),
    answer,
    formats=FORMATS,
    details=DETAILS,
    parameters=(*LISTED, *IN_CALENDAR, *FILTERS),
)
