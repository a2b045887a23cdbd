"""iCalendar: what has a start and an end, for calendars to show and to follow."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from icalendar import Calendar, Event
from icalendar.prop import vRecur

from export.formats.site import absolute, address_of, domain_of
from export.formats.vevent import local, made, remind, years_by_zone, zones_of
from export.formats.vtimezone import FIRST_YEAR, LAST_YEAR, timezone_component
from export.formats.xml_text import printable
from export.fossils.calendar_entry import CalendarEntry
from export.http.request import ExportRequest
from export.http.selection import ALARMS, METHOD
from export.model.booking_slots import DAILY, MONTHLY, MONTHS, WEEKS
from export.model.conference import CANCELLED, STATUSES
from export.model.local_time import iana_zone
from export.model.plain_text import without_markup

Shown = Mapping[str, Any]

CONTENT_TYPE = "text/calendar; charset=utf-8"
CANCEL = "cancel"
WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
PREFIXES = {"CERNMCU": "MCU", "WebcastRequest": "W", "RecordingRequest": "R"}


def write(body: Shown, request: ExportRequest, *, pretty: bool) -> bytes:
    """Return the results of *body* as a calendar; what has no dates is left out."""
    events = list(_events(body, request))
    calendar = _calendar(body, request)
    for component in (*zones_of(events), *events):
        calendar.add_component(component)
    text: bytes = calendar.to_ical()
    return text


def pieces(
    body: Shown, ending: Callable[[], Shown], request: ExportRequest, *, pretty: bool
) -> Iterator[bytes]:
    """Yield the calendar of *body*, with each zone, of all years, before its first event."""
    end = b"END:VCALENDAR\r\n"
    yield _calendar(body, request).to_ical().removesuffix(end)
    known: set[str] = set()
    for event in _events(body, request):
        for key in sorted(years_by_zone([event]).keys() - known):
            known.add(key)
            yield timezone_component(key, FIRST_YEAR, LAST_YEAR).to_ical()
        yield event.to_ical()
    yield end


def _calendar(body: Shown, request: ExportRequest | None) -> Calendar:
    calendar = Calendar()
    calendar.add("prodid", "-//CERN//INDICO//EN")
    calendar.add("version", "2.0")
    method = METHOD.of(request) if request is not None else None
    if method:
        calendar.add("method", method.upper())
    if "position" in body:
        calendar.add("x-position", body["position"])
    return calendar


def _events(body: Shown, request: ExportRequest | None) -> Iterator[Event]:
    """Yield the events that are wanted, those that are to remind somebody with their alarm."""
    alarm = ALARMS.of(request) if request is not None else None
    is_cancel = request is not None and METHOD.of(request) == CANCEL
    for event in _all_events(body, address_of(body, request)):
        if is_cancel and event.get("status") != CANCELLED.upper():
            continue
        if alarm is not None:
            remind(event, alarm)
        yield event


def _all_events(body: Shown, site: str) -> Iterator[Event]:
    """Yield the events of the results, and as cancelled those of what vanished."""
    for result in body["results"]:
        yield from _of_result(result, site)
    for result in body.get("vanished", ()):
        for event in _of_result(result, site):
            event.pop("status", None)
            event.add("status", CANCELLED.upper())
            yield event


def _of_result(result: Any, site: str) -> Iterator[Event]:
    domain = domain_of(site)
    for uid, event in EVENTS.get(result.get("_fossil"), _other)(result, site):
        event.add("uid", printable(f"{uid}@{domain}"))
        yield event


Entries = Iterator[tuple[str, Event]]


def _other(shown: Shown, site: str) -> Entries:
    """Yield a member of a collection that takes place at some time; nothing else."""
    if shown.get("path") and shown["startDate"] is not None:
        yield shown["path"].removeprefix("/export/").replace("/", "-"), _entry(shown, site)


def _event(shown: Shown, site: str) -> Entries:
    if shown["startDate"] is not None:
        yield f"indico-event-{shown['id']}", _entry(shown, site)


def _event_by_contributions(shown: Shown, site: str) -> Entries:
    if not shown["contributions"]:
        yield from _event(shown, site)
    for talk in _dated(shown["contributions"]):
        yield f"indico-contribution-{shown['id']}-{talk['id']}", _entry(talk, site)


def _event_by_slots(shown: Shown, site: str) -> Entries:
    if not shown["sessions"]:
        yield from _event(shown, site)
    for slot in _dated(shown["sessions"]):
        yield f"indico-session-{shown['id']}-{slot['id']}", _entry(slot, site)


def _slot_by_contributions(shown: Shown, site: str) -> Entries:
    talks = shown.get("contributions", shown.get("subcontributions"))
    event_id = shown["conference"]["id"]
    if not talks and shown["startDate"] is not None:
        yield f"indico-session-{event_id}-{shown['id']}", _entry(shown, site)
    for talk in _dated(talks):
        yield f"indico-contribution-{event_id}-{talk['id']}", _entry(talk, site)


def _contribution(shown: Shown, site: str) -> Entries:
    if shown["startDate"] is not None:
        yield f"indico-contribution-{shown['conferenceId']}-{shown['id']}", _entry(shown, site)


def _dated(members: Any) -> list[Any]:
    return [member for member in members if member["startDate"] is not None]


def _entry(shown: Shown, site: str) -> Event:
    room = f" {shown['room']}" if shown["room"] else ""
    url = absolute(site, shown["url"])
    return made(
        (shown["startDate"], shown["endDate"]),
        _entry_of(shown),
        url=url,
        summary=shown["title"],
        location=f"{shown['location'] or ''}{room}",
        description=_description(shown, url),
    )


def _entry_of(shown: Shown) -> CalendarEntry:
    """Return the calendar entry of what is shown; that of other objects is in their fields."""
    entry: CalendarEntry | None = shown.get("calendarEntry")
    if entry is not None:
        return entry
    zone, status = iana_zone(str(shown.get("timezone"))), shown.get("status")
    is_known = status in STATUSES
    return CalendarEntry(shown["modificationDate"], zone or UTC, status if is_known else None)


def _description(shown: Shown, url: str) -> str:
    speakers = ", ".join(
        f"{who['fullName']} ({who['affiliation']})" for who in shown.get("speakers", ())
    )
    text = without_markup(shown["description"])
    about = f"{text}\n\n{url}" if text else url
    return f"Speakers: {speakers}\n{about}" if speakers else about


def _reservation(shown: Shown, site: str) -> Entries:
    entry = _entry_of(shown)
    start, first_end, end = (
        local(shown[edge], entry.zone) for edge in ("startDT", "firstEndDT", "endDT")
    )
    place = f"{shown['location']}: {shown['room']['fullName']}"
    url = absolute(site, shown["bookingUrl"])
    event = made(
        (start, first_end),
        entry,
        url=url,
        summary=shown["reason"],
        location=place,
        description=f"{shown['reason']}\n\n{url}",
    )
    if shown["repeatability"] is not None:
        if first_end.time() == start.time():  # the end of the last time is not one more
            end -= timedelta(seconds=1)
        event.add("rrule", vRecur(_rule(shown, start, end)))
        for day in shown["excludedDays"]:
            moment = datetime.combine(datetime.fromisoformat(day), start.time(), start.tzinfo)
            event.add("exdate", moment)
    yield f"indico-resv-{shown['id']}", event


def _rule(shown: Shown, start: datetime, end: datetime) -> dict[str, Any]:
    every, until = shown["repeatability"], end.astimezone(UTC)
    if every == DAILY:
        return {"freq": "DAILY", "until": until}
    if every in MONTHS:
        ordinal = (start.day - 1) // 7 + 1
        months = {} if every == MONTHLY else {"interval": MONTHS[every]}
        day = f"{ordinal}{WEEKDAYS[start.weekday()]}"
        return {"freq": "MONTHLY", "until": until, **months, "byday": day}
    days = {"byday": [day[:2].upper() for day in shown["recurrence_weekdays"]]}
    rule = {"freq": "WEEKLY", "until": until, "interval": WEEKS[every]}
    return {**rule, **days} if shown["recurrence_weekdays"] else rule


def _video(shown: Shown, site: str) -> Entries:
    kind, status = shown["type"], f"-{shown['status']}" if shown["status"] else ""
    audience = f"Audience: {shown['audience']}\n" if shown["audience"] else ""
    room = f": {shown['room']}" if shown["room"] else ""
    summary = f"{PREFIXES.get(kind, kind)}{status}: {shown['title']}"
    url = absolute(site, shown["url"])
    event = made(
        (shown["startDate"], shown["endDate"]),
        _entry_of(shown),
        url=url,
        summary=summary,
        location=f"{shown['location']}{room}",
        description=f"{audience}Event URL: {url}",
    )
    event.add("categories", [f"VideoService - {kind}"])
    yield f"indico-collaboration-{shown['uniqueId']}", event


EVENTS: dict[str, Callable[[Shown, str], Entries]] = {
    "conferenceMetadata": _event,
    "conferenceMetadataWithContribs": _event_by_contributions,
    "conferenceMetadataWithSubContribs": _event_by_contributions,
    "conferenceMetadataWithSessions": _event_by_slots,
    "sessionMetadataWithContributions": _slot_by_contributions,
    "sessionMetadataWithSubContribs": _slot_by_contributions,
    "contributionMetadata": _contribution,
    "contributionMetadataWithSubContribs": _contribution,
    "reservationMetadata": _reservation,
    "collaborationMetadata": _video,
}
