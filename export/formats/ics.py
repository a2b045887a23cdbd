"""iCalendar: what has a start and an end, for calendars to show and to follow."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from icalendar import Alarm, Calendar, Event
from icalendar.prop import vRecur

from export.formats.site import absolute, address_of, domain_of
from export.formats.xml_text import printable
from export.http.request import ExportRequest
from export.model.booking_slots import DAILY, MONTHLY, MONTHS, WEEKS
from export.model.local_time import in_utc
from export.model.plain_text import without_markup

Shown = Mapping[str, Any]

CONTENT_TYPE = "text/calendar; charset=utf-8"
WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
WEEKS_TO_LOOK_AT = 54
"""After a year clocks change as they did before."""

PREFIXES = {"CERNMCU": "MCU", "WebcastRequest": "W", "RecordingRequest": "R"}


def write(body: Shown, request: ExportRequest, *, pretty: bool) -> bytes:
    """Return the results of *body* as a calendar; what has no dates is left out."""
    site = address_of(body, request)
    domain = domain_of(site)
    calendar = Calendar()
    calendar.add("prodid", "-//CERN//INDICO//EN")
    calendar.add("version", "2.0")
    for result in body["results"]:
        for uid, event in EVENTS.get(result.get("_fossil"), _other)(result, site):
            event.add("uid", printable(f"{uid}@{domain}"))
            calendar.add_component(event)
    calendar.add_missing_timezones()
    text: bytes = calendar.to_ical()
    return text


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
    prefix = f"{shown['conference']['id']}-{shown['id']}"
    if not talks and shown["startDate"] is not None:
        yield f"indico-session-{prefix}", _entry(shown, site)
    for talk in _dated(talks):
        yield f"indico-contribution-{prefix}-{talk['id']}", _entry(talk, site)


def _contribution(shown: Shown, site: str) -> Entries:
    if shown["startDate"] is not None:
        yield f"indico-contribution-{shown['conferenceId']}-{shown['id']}", _entry(shown, site)


def _dated(members: Any) -> list[Any]:
    return [member for member in members if member["startDate"] is not None]


def _entry(shown: Shown, site: str) -> Event:
    room = f" {shown['room']}" if shown["room"] else ""
    url = absolute(site, shown["url"])
    return _made(
        (shown["startDate"], shown["endDate"]),
        shown["modificationDate"],
        url=url,
        summary=shown["title"],
        location=f"{shown['location'] or ''}{room}",
        description=_description(shown, url),
    )


def _description(shown: Shown, url: str) -> str:
    speakers = ", ".join(
        f"{who['fullName']} ({who['affiliation']})" for who in shown.get("speakers", ())
    )
    text = without_markup(shown["description"])
    about = f"{text}\n\n{url}" if text else url
    return f"Speakers: {speakers}\n{about}" if speakers else about


def _reservation(shown: Shown, site: str) -> Entries:
    zone = ZoneInfo(shown["timezone"])
    start, first_end, end = (
        shown[edge].astimezone(zone) for edge in ("startDT", "firstEndDT", "endDT")
    )
    place = f"{shown['location']}: {shown['room']['fullName']}"
    url = absolute(site, shown["bookingUrl"])
    event = _made(
        (start, first_end),
        shown["modificationDate"],
        url=url,
        summary=shown["reason"],
        location=place,
        description=f"{shown['reason']}\n\n{url}",
    )
    event.add("status", _status(shown))
    if shown["repeatability"] is not None:
        _repeat(event, shown, start, end)
    yield f"indico-resv-{shown['id']}", event


def _status(shown: Shown) -> str:
    if shown["is_cancelled"] or shown["is_rejected"]:
        return "CANCELLED"
    return "TENTATIVE" if shown["is_pending"] else "CONFIRMED"


def _repeat(event: Event, shown: Shown, start: datetime, end: datetime) -> None:
    """Add a recurrence rule to *event*, in local time where it would differ in UTC."""
    if _clocks_change(start, end) or start.astimezone(UTC).date() != start.date():
        for name in ("dtstart", "dtend"):
            local = event.decoded(name).astimezone(start.tzinfo)
            del event[name]
            event.add(name, local)
    event.add("rrule", vRecur(_rule(shown, start, end)))
    for day in shown["excludedDays"]:
        date = datetime.combine(datetime.fromisoformat(day), start.time(), start.tzinfo)
        event.add("exdate", date.astimezone(event.decoded("dtstart").tzinfo))


def _clocks_change(start: datetime, end: datetime) -> bool:
    weeks = min((end - start).days // 7, WEEKS_TO_LOOK_AT)
    moments = (*(start + timedelta(weeks=number) for number in range(weeks + 1)), end)
    return len({moment.utcoffset() for moment in moments}) > 1


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
    event = _made(
        (shown["startDate"], shown["endDate"]),
        shown["modificationDate"],
        url=url,
        summary=summary,
        location=f"{shown['location']}{room}",
        description=f"{audience}Event URL: {url}",
    )
    event.add("categories", [f"VideoService - {kind}"])
    if "alarm" in shown:
        alarm = Alarm()
        alarm.add("action", "DISPLAY")
        alarm.add("trigger", -timedelta(minutes=shown["alarm"]))
        alarm.add("summary", summary)
        alarm.add("description", url)
        event.add_component(alarm)
    yield f"indico-collaboration-{shown['uniqueId']}", event


def _made(period: tuple[datetime, datetime | None], modified: datetime, **texts: str) -> Event:
    """Return what takes place in *period*; its stamp is the time of its last change."""
    start, end = period
    event = Event()
    for name in ("dtstamp", "last-modified"):
        event.add(name, in_utc(modified).replace(microsecond=0))
    event.add("dtstart", in_utc(start))
    if end is not None:
        event.add("dtend", in_utc(end))
    for name, text in texts.items():
        value = printable(text).replace("\r\n", "\n").replace("\r", "\n")
        event.add(name, value)
    return event


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
