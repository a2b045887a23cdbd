"""The programme of an event, as schedules of frab and pentabarf tell it: days, rooms, talks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import NAMESPACE_URL, uuid5
from zoneinfo import ZoneInfo

from export.formats.site import absolute, domain_of, latest
from export.formats.xml_text import printable
from export.model.local_time import iana_zone, in_utc, in_zone

Shown = Mapping[str, Any]

DAY_BEGINS = time(4)
"""The time up to which talks of the night stand with the evening before."""

TIMESLOT = "00:05"
LONGEST = 99 * 60 + 59
"""How many minutes a duration has at most: that is all that hours of two digits can tell."""

NUMBERS = 2**30
"""Numbers from here on, up to twice as many, are those of ids that are no numbers themselves."""


def programme(event: Shown, site: str) -> dict[str, Any]:
    """Return the schedule of *event*, shown with its contributions, of the installation *site*."""
    zone = iana_zone(str(event["timezone"])) or ZoneInfo("UTC")
    acronym = _acronym(str(event["id"]))
    talks = [one for one in event["contributions"] if one["startDate"] is not None]
    numbers = _numbers([str(talk["id"]) for talk in talks])
    days: dict[date, dict[str, list[dict[str, Any]]]] = {}
    for talk in talks:
        shown = _talk(talk, event, zone, site)
        shown["id"] = number = numbers[str(talk["id"])]
        shown["slug"] = f"{acronym}-{number}"
        start = in_zone(talk["startDate"], zone)
        days.setdefault(_day(start), {}).setdefault(shown["room"], []).append(shown)
    edges = [in_zone(event[key], zone).date() for key in ("startDate", "endDate") if event[key]]
    edges = edges if edges and not days else [*sorted(days), *edges]
    about = {
        "acronym": acronym,
        "title": printable(event["title"]),
        **({"start": min(edges).isoformat(), "end": max(edges).isoformat()} if edges else {}),
        "daysCount": len(days),
        "timeslot_duration": TIMESLOT,
        "time_zone_name": zone.key,
        "url": absolute(site, event["url"]),
        "rooms": [
            {"name": room, "guid": _guid(f"room {room}", site)}
            for room in sorted({room for rooms in days.values() for room in rooms})
        ],
        "days": [
            _shown_day(number, day, rooms, zone)
            for number, (day, rooms) in enumerate(sorted(days.items()), start=1)
        ],
    }
    changed = latest(one["modificationDate"] for one in (event, *event["contributions"]))
    version = f"{in_utc(changed):%Y-%m-%d %H:%M:%S}"
    return {"version": version, "base_url": f"{site}/", "conference": about}


def _shown_day(
    number: int, day: date, rooms: Mapping[str, list[dict[str, Any]]], zone: ZoneInfo
) -> dict[str, Any]:
    begins, ends = (datetime.combine(each, DAY_BEGINS, zone) for each in (day, _next(day, 1)))
    return {
        "index": number,
        "date": day.isoformat(),
        "day_start": begins.isoformat(),
        "day_end": ends.isoformat(),
        "rooms": dict(sorted(rooms.items())),
    }


def _talk(talk: Shown, event: Shown, zone: ZoneInfo, site: str) -> dict[str, Any]:
    start = in_zone(talk["startDate"], zone)
    return {
        "guid": _guid(f"indico-contribution-{event['id']}-{talk['id']}", site),
        "date": start.replace(microsecond=0).isoformat(),
        "start": f"{start:%H:%M}",
        "duration": _duration(talk),
        "room": printable(talk["room"] or talk["location"]) or "TBA",
        "url": absolute(site, talk["url"]),
        "title": printable(talk["title"]),
        "subtitle": "",
        "track": printable(talk["track"] or talk["session"]),
        "type": printable(talk["type"]) or "talk",
        "language": printable(event["language"]) if isinstance(event["language"], str) else "",
        "abstract": printable(talk["description"]),
        "description": "",
        "persons": [_person(who) for who in talk["speakers"]],
        "links": list(_resources(talk, site, are_files=False)),
        "attachments": list(_resources(talk, site, are_files=True)),
    }


def _duration(talk: Shown) -> str:
    took = timedelta(minutes=talk["duration"] or 0)
    if not took and talk["endDate"] is not None:
        took = talk["endDate"] - talk["startDate"]
    hours, minutes = divmod(min(int(took.total_seconds() // 60), LONGEST), 60)
    return f"{hours:02}:{minutes:02}"


def _person(who: Shown) -> dict[str, Any]:
    names = (who["first_name"], who["last_name"])
    name = " ".join(printable(part) for part in names if part) or printable(who["fullName"])
    return {"id": _number(str(who["id"] or who["fullName"])), "public_name": name}


def _resources(talk: Shown, site: str, *, are_files: bool) -> Iterator[dict[str, str]]:
    for material in talk["material"]:
        for one in material["resources"]:
            if ("fileName" in one) is are_files and one["url"]:
                yield _link(one["url"], one["name"], site)
    for folder in talk["folders"]:
        for one in folder["attachments"]:
            address = one["download_url"] if are_files else one["link_url"]
            if address:
                yield _link(address, one["title"], site)


def _link(address: str, title: str, site: str) -> dict[str, str]:
    return {"url": absolute(site, address), "title": printable(title)}


def _acronym(event_id: str) -> str:
    """Return the id as an acronym may be written: small, with four letters, and no number."""
    name = event_id.lower()
    return name if len(name) > 3 and not name.isdigit() else f"event_{name}"


def _numbers(ids: Iterable[str]) -> dict[str, int]:
    """Return a number for each of *ids*, always the same one but for those that would be equal."""
    found: dict[str, int] = {}
    for each in sorted(ids, key=lambda text: (not text.isdigit(), text)):
        number, taken = _number(each), set(found.values())
        while number in taken:
            number += 1
        found[each] = number
    return found


def _number(text: str) -> int:
    own = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
    return own if 0 < own < NUMBERS else NUMBERS + uuid5(NAMESPACE_URL, text).int % NUMBERS


def _guid(name: str, site: str) -> str:
    return str(uuid5(NAMESPACE_URL, f"{name}@{domain_of(site)}"))


def _day(start: datetime) -> date:
    return start.date() if start.time() >= DAY_BEGINS else _next(start.date(), -1)


def _next(day: date, days: int) -> date:
    """Return the day that is *days* later, or the last one that a calendar has."""
    try:
        return day + timedelta(days=days)
    except OverflowError:
        return day
