"""The import of iCalendar: every event goes in with its first occurrence.

The icalendar library reads the lines; the calendar gives the zone of times without one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from icalendar import Calendar

from export.errors import ImportRefused
from export.imports.calendar.lines import Block, read_feed
from export.imports.calendar.local_time import UNTOLD, Clock
from export.imports.calendar.series import Occurrence, Series, Version, sequence_of
from export.imports.draft import Draft, DraftItem, Noted, place
from export.imports.ids import digest
from export.imports.links import web_address
from export.model.access import Protection
from export.model.conference import CANCELLED, CONFIRMED, TENTATIVE, Conference
from export.model.person import ConferenceChair
from export.model.plain_text import PlainText

TIMES = {"DTSTART", "DTEND", "DURATION", "RDATE", "EXDATE", "RECURRENCE-ID"}
UID = re.compile(r"indico-event-(\w+)@(.+)", re.ASCII)


@dataclass
class EventBlocks:
    """The VEVENTs of one event: those that are all of it, and those of single times of it."""

    uid: str
    masters: list[tuple[Block, Clock]] = field(default_factory=list)
    changes: list[tuple[Block, Clock]] = field(default_factory=list)


def items(content: bytes, timezone: str = "", domain: str = "") -> Iterator[DraftItem]:
    """Return every event of the calendars in *content*, and what is wrong outside of them.

    *timezone* is that of times for which no calendar gives one. Ids of events are kept if they
    are of *domain*, this installation's own.
    """
    feed = read_feed(content)
    for number, reason in feed.problems:
        yield _refused(number, reason)
    for number, reason in feed.notes:
        yield _noted(number, reason)
    entries: dict[str, EventBlocks] = {}
    for calendar in feed.calendars:
        clock = Clock.of(calendar, timezone)
        if clock.is_assumed and any(map(clock.is_floating, calendar.events)):
            yield _noted(calendar.own.number, UNTOLD)
        for block in calendar.events:
            uid = block.value("UID")
            if not uid:
                yield _refused(block.number, "the event has no UID")
                continue
            entry = entries.setdefault(uid, EventBlocks(uid))
            is_change = bool(block.value("RECURRENCE-ID"))
            (entry.changes if is_change else entry.masters).append((block, clock))
    for entry in entries.values():
        yield from _events(entry, domain.lower())


def _events(entry: EventBlocks, domain: str) -> Iterator[DraftItem]:
    """Return the events of *entry*; where they are several, each has an id of its own."""
    newest = max((sequence_of(block) for block, _ in entry.masters), default=0)
    cancelling = [one for one in entry.masters if one[1].method == "CANCEL"]
    masters: dict[str, tuple[Block, Clock]] = {}
    for block, clock in entry.masters:
        origin = "\n".join((entry.uid, block.value("DTSTART"), block.value("SUMMARY")))
        if sequence_of(block) != newest:
            yield _noted(block.number, "the event is an older version of another one")
        elif origin in masters:
            first = masters[origin][0].number
            yield _noted(block.number, f"the event is that of line {first} again")
        else:
            masters[origin] = block, clock
    is_off = any(sequence_of(block) == newest for block, _ in cancelling)
    if is_off:  # what cancels need not tell what
        told = [one for one in entry.masters if one not in cancelling] or cancelling
        masters = {entry.uid: sorted(told, key=lambda one: sequence_of(one[0]))[-1]}
    if len(masters) < 2:
        master = next(iter(masters.values()), None)
        where = f"line {(master or entry.changes[0])[0].number}"
        yield DraftItem(where, partial(_draft, master, entry.changes, entry.uid, domain, is_off))
        return
    for number, (origin, master) in enumerate(masters.items()):
        if number == 0:
            several = f"the UID {entry.uid} is that of {len(masters)} events"
            yield _noted(master[0].number, f"{several}; each goes in with an id of its own")
        changes = [] if number else entry.changes
        yield DraftItem(f"line {master[0].number}", partial(_draft, master, changes, origin, ""))


def _refused(number: int, reason: str) -> DraftItem:
    def make() -> Draft:
        raise ImportRefused(f"line {number}: {reason}")

    return DraftItem(f"line {number}", make)


def _noted(number: int, reason: str) -> DraftItem:
    def make() -> Draft:
        raise Noted(f"line {number}: {reason}")

    return DraftItem(f"line {number}", make)


def _draft(
    master: tuple[Block, Clock] | None,
    changes: list[tuple[Block, Clock]],
    origin: str,
    domain: str,
    is_off: bool = False,
) -> Draft:
    draft = Draft(Conference(""), origin=origin)
    series = Series(
        _version(*master, draft) if master is not None else None,
        [one for change in changes for one in _readable(*change, draft)],
    )
    told = series.master or next(iter(series.changes), None)
    if told is None:
        raise ImportRefused(draft.problems.pop())
    try:
        time = series.first()
    except OverflowError:
        raise ImportRefused(f"{told.where}: a time is beyond the calendar's edge") from None
    except (TypeError, ValueError) as error:
        raise ImportRefused(f"{told.where}: its times cannot be read: {error}") from None
    draft.problems += series.problems
    if time is None:
        raise ImportRefused(f"{told.where}: no time of the event takes place")
    place(draft.event, time.start, time.end, told.where)
    _describe(draft, time, told)
    draft.event.set_status(CANCELLED if is_off or told.is_cancelled else _status(told))
    draft.event.set_id(_id(origin, domain))
    if told.recurs or series.changes:
        draft.notes.append(f"{told.where}: the event recurs; only the first time is taken")
    return draft


def _readable(block: Block, clock: Clock, draft: Draft) -> Iterator[Version]:
    """Yield the version of one time, if it can be read; else that is told."""
    try:
        version = _version(block, clock, draft)
        for name in ("RECURRENCE-ID", "DTSTART"):
            version.told(name)
        yield version
    except ImportRefused as problem:
        draft.problems.append(str(problem))


def _version(block: Block, clock: Clock, draft: Draft) -> Version:
    where = f"line {block.number}"
    event = _parsed(clock.settled(block), where)
    problems = [f"{where}: {name} cannot be read: {reason}" for name, reason in event.errors]
    if not TIMES.isdisjoint(name for name, _ in event.errors):
        raise ImportRefused(problems[0])
    for name, _ in event.errors:
        event.pop(name, None)
    draft.problems += problems
    status = str(event.get("STATUS", "")).upper()
    is_cancelled = status == "CANCELLED" or clock.method == "CANCEL"
    return Version(
        block, event, clock.zone_of(block), clock.zone_name_of(block), is_cancelled, where
    )


def _parsed(blocks: list[Block], where: str) -> Any:
    lines = ["BEGIN:VCALENDAR"]
    for block in blocks:
        lines += [f"BEGIN:{block.name}", *(line for _, line in block.lines), f"END:{block.name}"]
    try:
        calendar = Calendar.from_ical("\r\n".join([*lines, "END:VCALENDAR", ""]))
        return calendar.walk("VEVENT")[0]
    except (ValueError, KeyError, TypeError, IndexError, OverflowError) as error:
        raise ImportRefused(f"{where}: {error}") from None


def _describe(draft: Draft, time: Occurrence, told: Version) -> None:
    """Give the event the words of its first time, or of the whole event where that has none."""
    event, versions = draft.event, (time.version, told)
    title = " ".join(_text(versions, "SUMMARY").split())
    if not title:
        raise ImportRefused(f"{time.version.where}: the event has no SUMMARY")
    event.setTitle(title)
    event.setDescription(PlainText(_text(versions, "DESCRIPTION").strip()))
    event.type = "simple_event"
    event.timezone = time.version.zone_name
    event.location = _text(versions, "LOCATION").strip() or None
    url = _text(versions, "URL").strip()
    event.url = web_address(url) if url else None
    if url and event.url is None:
        draft.problems.append(f"{told.where}: URL is no web address: {url[:60]!r}; it is left out")
    event.chairs = tuple(_organizers(_first(versions, "ORGANIZER")))
    event.keywords = tuple(_categories(_first(versions, "CATEGORIES")))
    if any(str(one.first("CLASS") or "PUBLIC").upper() != "PUBLIC" for one in versions):
        event.setProtection(Protection.RESTRICTED)


def _status(told: Version) -> str:
    is_tentative = str(told.first("STATUS")).upper() == "TENTATIVE"
    return TENTATIVE if is_tentative else CONFIRMED


def _first(versions: tuple[Version, ...], name: str) -> Any:
    """Return the property *name* of the first of *versions* that has it."""
    return next((one.event[name] for one in versions if name in one.event), [])


def _text(versions: tuple[Version, ...], name: str) -> str:
    values = (one.first(name) for one in versions)
    return next((str(value) for value in values if value is not None), "")


def _id(origin: str, domain: str) -> str:
    """Return the id of an event of *domain* as it is there; for all others one made of it."""
    found = UID.fullmatch(origin)
    is_own = found is not None and bool(domain) and found[2].lower() == domain
    return found[1] if found is not None and is_own else digest(origin)


def _organizers(value: Any) -> Iterator[ConferenceChair]:
    for number, one in enumerate(value if isinstance(value, list) else [value]):
        scheme, _, address = str(one).partition(":")
        email = address if scheme.lower() == "mailto" else None
        name = str(one.params.get("CN", "")) or email or str(one)
        yield ConferenceChair(str(number), last_name=name, shown_as=name, email=email)


def _categories(value: Any) -> Iterator[str]:
    for one in value if isinstance(value, list) else [value]:
        yield from (str(name) for name in one.cats)
