"""iCalendar: what has a start and an end, for calendars to show and to follow."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from icalendar import Alarm, Calendar, Event
from icalendar.prop import vRecur

from export.formats.xml_text import printable
from export.http.request import ExportRequest
from export.model.local_time import in_utc
from export.model.plain_text import without_markup

Shown = Mapping[str, Any]

CONTENT_TYPE = "text/calendar; charset=utf-8"
DOMAIN = "cern.ch"
"""What ids end with where the installation has no address."""

WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
WEEKS = {"weekly": 1, "everyTwoWeeks": 2, "everyThreeWeeks": 3}
WEEKS_TO_LOOK_AT = 54
"""After a year clocks change as they did before."""

PREFIXES = {"CERNMCU": "MCU", "WebcastRequest": "W", "RecordingRequest": "R"}


def write(body: Shown, request: ExportRequest, *, pretty: bool) -> bytes:
    """Return the results of *body* as a calendar; what has no dates is left out."""
    domain = urlsplit(body["url"]).hostname or DOMAIN
    calendar = Calendar()
    calendar.add("prodid", "-//CERN//INDICO//EN")
    calendar.add("version", "2.0")
    made = datetime.fromtimestamp(body["ts"], UTC)
    for result in body["results"]:
        for uid, event in EVENTS.get(result.get("_fossil"), _nothing)(result):
            event.add("uid", printable(f"{uid}@{domain}"))
            event.add("dtstamp", made)
            calendar.add_component(event)
    calendar.add_missing_timezones()
    text: bytes = calendar.to_ical()
    return text


Entries = Iterator[tuple[str, Event]]


def _nothing(shown: Shown) -> Entries:
    yield from ()


def _event(shown: Shown) -> Entries:
    if shown["startDate"] is not None:
        yield f"indico-event-{shown['id']}", _entry(shown)


def _event_by_contributions(shown: Shown) -> Entries:
    if not shown["contributions"]:
        yield from _event(shown)
    for talk in _dated(shown["contributions"]):
        yield f"indico-contribution-{shown['id']}-{talk['id']}", _entry(talk)


def _event_by_slots(shown: Shown) -> Entries:
    if not shown["sessions"]:
        yield from _event(shown)
    for slot in _dated(shown["sessions"]):
        yield f"indico-session-{shown['id']}-{slot['id']}", _entry(slot)


def _slot_by_contributions(shown: Shown) -> Entries:
    talks = shown.get("contributions", shown.get("subcontributions"))
    prefix = f"{shown['conference']['id']}-{shown['id']}"
    if not talks and shown["startDate"] is not None:
        yield f"indico-session-{prefix}", _entry(shown)
    for talk in _dated(talks):
        yield f"indico-contribution-{prefix}-{talk['id']}", _entry(talk)


def _contribution(shown: Shown) -> Entries:
    if shown["startDate"] is not None:
        yield f"indico-contribution-{shown['conferenceId']}-{shown['id']}", _entry(shown)


def _dated(members: Any) -> list[Any]:
    return [member for member in members if member["startDate"] is not None]


def _entry(shown: Shown) -> Event:
    room = f" {shown['room']}" if shown["room"] else ""
    return _made(
        shown["startDate"],
        shown["endDate"],
        url=shown["url"],
        summary=shown["title"],
        location=f"{shown['location'] or ''}{room}",
        description=_description(shown),
    )


def _description(shown: Shown) -> str:
    speakers = ", ".join(
        f"{who['fullName']} ({who['affiliation']})" for who in shown.get("speakers", ())
    )
    text = without_markup(shown["description"])
    about = f"{text}\n\n{shown['url']}" if text else shown["url"]
    return f"Speakers: {speakers}\n{about}" if speakers else about


def _reservation(shown: Shown) -> Entries:
    zone = ZoneInfo(shown["timezone"])
    start, end = (shown[edge].astimezone(zone) for edge in ("startDT", "endDT"))
    place = f"{shown['location']}: {shown['room']['fullName']}"
    event = _made(
        start,
        end if shown["repeatability"] is None else _first_end(start, end),
        url=shown["bookingUrl"],
        summary=shown["reason"],
        location=place,
        description=f"{shown['reason']}\n\n{shown['bookingUrl']}",
    )
    if shown["repeatability"] is not None:
        _repeat(event, shown, start, end)
    yield f"indico-resv-{shown['id']}", event


def _first_end(start: datetime, end: datetime) -> datetime:
    first = datetime.combine(start.date(), end.time(), start.tzinfo)
    return first if first > start else first + timedelta(days=1)


def _repeat(event: Event, shown: Shown, start: datetime, end: datetime) -> None:
    """Let *event* come back; by local time, where it would not be the same in UTC."""
    if _clocks_change(start, end) or start.astimezone(UTC).date() != start.date():
        for name in ("dtstart", "dtend"):
            local = event.decoded(name).astimezone(start.tzinfo)
            del event[name]
            event.add(name, local)
    event.add("rrule", vRecur(_rule(shown["repeatability"], start, end)))
    for day in shown["excludedDays"]:
        date = datetime.combine(datetime.fromisoformat(day), start.time(), start.tzinfo)
        event.add("exdate", date.astimezone(event.decoded("dtstart").tzinfo))


def _clocks_change(start: datetime, end: datetime) -> bool:
    weeks = min((end - start).days // 7, WEEKS_TO_LOOK_AT)
    moments = (*(start + timedelta(weeks=number) for number in range(weeks + 1)), end)
    return len({moment.utcoffset() for moment in moments}) > 1


def _rule(repeatability: str, start: datetime, end: datetime) -> dict[str, Any]:
    until = end.astimezone(UTC)
    if repeatability == "daily":
        return {"freq": "DAILY", "until": until}
    if repeatability == "monthly":
        ordinal = (start.day - 1) // 7 + 1
        return {"freq": "MONTHLY", "until": until, "byday": f"{ordinal}{WEEKDAYS[start.weekday()]}"}
    return {"freq": "WEEKLY", "until": until, "interval": WEEKS[repeatability]}


def _video(shown: Shown) -> Entries:
    kind, status = shown["type"], f"-{shown['status']}" if shown["status"] else ""
    audience = f"Audience: {shown['audience']}\n" if shown["audience"] else ""
    room = f": {shown['room']}" if shown["room"] else ""
    summary = f"{PREFIXES.get(kind, kind)}{status}: {shown['title']}"
    event = _made(
        shown["startDate"],
        shown["endDate"],
        url=shown["url"],
        summary=summary,
        location=f"{shown['location']}{room}",
        description=f"{audience}Event URL: {shown['url']}",
    )
    event.add("categories", [f"VideoService - {kind}"])
    if "alarm" in shown:
        alarm = Alarm()
        alarm.add("action", "DISPLAY")
        alarm.add("trigger", -timedelta(minutes=shown["alarm"]))
        alarm.add("summary", summary)
        alarm.add("description", shown["url"])
        event.add_component(alarm)
    yield f"indico-collaboration-{shown['uniqueId']}", event


def _made(start: datetime, end: datetime | None, **texts: str) -> Event:
    event = Event()
    event.add("dtstart", in_utc(start))
    if end is not None:
        event.add("dtend", in_utc(end))
    for name, text in texts.items():
        value = printable(text).replace("\r\n", "\n").replace("\r", "\n")
        event.add(name, value.replace("\n", "") if name == "url" else value)
    return event


EVENTS: dict[str, Callable[[Shown], Entries]] = {
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
