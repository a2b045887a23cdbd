"""The selection: detail level, zone, page, order and dates of a request (reference 5.2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from zoneinfo import ZoneInfo, available_timezones

from export.errors import MalformedRequest
from export.http.dates import parse_from, parse_to
from export.http.parameter import (
    ALL,
    Amount,
    Choice,
    End,
    Flag,
    Instant,
    Integer,
    Moment,
    Parameter,
)
from export.http.request import ExportRequest

MAXIMUM = 1000
"""How many objects an answer has at most, of a detail without a limit of its own."""

DETAIL = Choice("detail", "How much is told of each object.", ("d",))
TZ = Choice(
    "tz", "The zone of all dates.", words=tuple(sorted(available_timezones() - {"localtime"}))
)
OFFSET = Integer("offset", "How many of the objects are left out first.", ("O",))
LIMIT = Amount(
    "limit",
    "How many objects are told at most: as many as may be for 0 or less, and for `all` all there "
    "are, sent piece by piece.",
    ("n",),
    least=-(10**15) + 1,
)
ORDER = Parameter("order", "What objects are sorted by: id, start, end or title.", ("o",))
DESCENDING = Flag("descending", "With `yes` the last one comes first.", ("c",))
FROM = Moment("from", "The beginning: a date, or days, hours and minutes from now.", ("f",))
TO = End("to", "The end; `day` stands for both of one day.", ("t",))
DAY = End("day", "One day: `from` and `to` at once.")
ALARMS = Integer(
    "alarms", "In a calendar: how many minutes before it one is reminded.", most=366 * 24 * 60
)
METHOD = Choice(
    "method",
    "In a calendar: with `cancel` only what is cancelled, as a message that calendars obey.",
    words=("publish", "cancel"),
)
IN_CALENDAR = (ALARMS, METHOD)
"""The parameters of calendars."""

AT = Instant("at", "The state as of then: a position, or a date.")
SINCE = Instant("since", "Only what changed or vanished since then: a position, or a date.")
CURSOR = Integer("cursor", "Where a page goes on, as the address of the next page tells it.")
COMMON = (DETAIL, TZ, OFFSET, LIMIT, ORDER, DESCENDING, FROM, TO, DAY)
LISTED = (*COMMON, AT, SINCE, CURSOR)
"""The parameters of lists, whose changes can be told."""


@dataclass(frozen=True)
class Selection:
    """The common parameters: detail level, zone, page, order and dates."""

    detail: str
    tz: tzinfo
    offset: int
    limit: int
    """How many objects there are at most; ALL for all."""

    limit_is_given: bool
    order: str | None
    descending: bool
    start: datetime | None
    end: datetime | None


def select(
    request: ExportRequest, maxima: Mapping[str, int], default: str | None, zone: tzinfo
) -> Selection:
    """Return the common parameters, for details with these *maxima*.

    Without any, the resource has no details, and takes any word for one. Raises MalformedRequest
    for the first thing that is wrong, in a fixed order.
    """
    for each in IN_CALENDAR:
        each.of(request)  # the calendar takes it itself
    offset = request.take_integer(*OFFSET.names)
    if offset < 0:
        raise MalformedRequest("Offset must be a positive number")
    detail = request.take(*DETAIL.names) or str(default)
    tz = _zone(request.take(*TZ.names), zone)
    limit = LIMIT.of(request) or 0
    maximum = maxima.get(detail, MAXIMUM)
    if maximum < limit < ALL:
        raise MalformedRequest(
            f"You can only request up to {maximum} records per request "
            f"with the detail level '{detail}'"
        )
    first, last = _span(request, tz)
    if maxima and detail not in maxima:
        raise MalformedRequest(f"Invalid detail level: {detail}")
    return Selection(
        detail=detail,
        tz=tz,
        offset=offset,
        limit=limit if limit > 0 else maximum,
        limit_is_given=limit > 0,
        order=ORDER.of(request),
        descending=DESCENDING.of(request),
        start=first,
        end=last,
    )


def everything(request: ExportRequest, zone: tzinfo) -> Selection:
    """Return the selection of all there is, with dates in the zone of *request*, else in *zone*.

    Raises MalformedRequest.
    """
    tz = _zone(request.take(*TZ.names), zone)
    return Selection("", tz, 0, MAXIMUM, False, None, False, None, None)


def _span(request: ExportRequest, tz: tzinfo) -> tuple[datetime | None, datetime | None]:
    start, end = FROM.of(request), TO.of(request)
    day = DAY.of(request)
    if day and (start or end):
        raise MalformedRequest("'day' can only be used without 'from' and 'to'")
    return parse_from(day or start or "", tz), parse_to(day or end or "", tz)


def _zone(name: str | None, default: tzinfo) -> tzinfo:
    if not name:
        return default
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise MalformedRequest(f"Bad timezone: '{name}'") from None
