"""Reservations: `/export/reservation/LOCATION[-LOCATION...]` (reference 5.3.8)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

from export.errors import RefusedRequest
from export.fossilize import fossilize
from export.fossils.room import SLOTS, INaivePeriodFossil, IReservationFossil
from export.http.page import cut
from export.http.request import ExportRequest, Selection, select
from export.http.result import ResultPage
from export.http.view import View
from export.model.booking_slots import FIRST, LAST, TICK, Slots
from export.model.local_time import in_zone
from export.resources.categ import matches
from export.rooms.registry import Location, Registry, rooms
from export.rooms.reservation import Reservation
from export.rooms.room import Room
from export.settings import ExportSettings
from scheduler.clock import nowutc

PATTERN = re.compile(r"/export/reservation/(?P<places>[\w\s]+(?:[-,][\w\s]+)*)\.(?P<format>\w+)")
FORMATS = ("json", "jsonp", "xml", "ics")
MAXIMA = {"reservations": 100}

Filter = Callable[[Reservation], bool]

FLAGS: dict[tuple[str, ...], Filter] = {
    ("cxl", "cancelled"): lambda one: one.is_cancelled,
    ("rej", "rejected"): lambda one: one.is_rejected,
    ("arch", "archival"): lambda one: one.getEndDate() < nowutc(),
    ("rec", "recurring", "rep", "repeating"): lambda one: one.slots.repeatability is not None,
    ("avc",): lambda one: one.uses_avc,
    ("avcs", "avcsupport"): lambda one: one.needs_avc_support,
    ("sts", "startupsupport"): lambda one: one.needs_startup_support,
}
"""Parameters that are `yes` or something else, and what they ask for."""


def answer(
    request: ExportRequest, match: re.Match[str], user: str | None, settings: ExportSettings
) -> ResultPage:
    """Return the reservations at the locations that *match* names, those of all states.

    Raises RequestException; RefusedRequest for who may not use the rooms.
    """
    registry = admitted(user)
    view = View(user, select(request, MAXIMA, "reservations", settings.zone), settings)
    names = sorted(set(re.split("[-,]", match["places"])))
    places = [registry.locations[name] for name in names if name in registry.locations]
    wanted = filters(request)
    found = (
        one
        for place in places
        for one in in_range(place, place.zone, view.selection)
        if wanted(one)
    )
    page = cut(found, view.selection)
    show = shows(request, view, IReservationFossil)
    return ResultPage([show(one) for one in page.members], page.complete)


def admitted(user: str | None) -> Registry:
    """Return the rooms, for *user* to look at. Raises RefusedRequest."""
    if user is None:
        raise RefusedRequest("Guest access to this resource is forbidden.")
    registry = rooms()
    if not registry.may_use(user):
        raise RefusedRequest("Access to this resource is restricted.")
    return registry


def filters(request: ExportRequest) -> Filter:
    """Return whether a reservation is one that *request* asks for; a flag not sent is no test."""
    tests: list[Filter] = []
    for names, is_set in FLAGS.items():
        if request.take(*names) is not None:
            tests.append(_flag(is_set, request.take_flag(*names)))
    state, booked_for = request.take("confirmed"), request.take("bf", "bookedfor")
    if state == "pending":
        tests.append(lambda one: one.is_pending)
    elif state is not None:
        tests.append(_flag(lambda one: one.is_confirmed, state == "yes"))
    if booked_for:
        tests.append(lambda one: matches(one.booked_for, booked_for))
    return lambda one: all(accepts(one) for accepts in tests)


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
    occurrences = request.take_flag("occ", "occurrences")

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
