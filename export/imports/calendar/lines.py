"""A calendar file as calendars, and those as blocks of lines, each line with its number.

Lines are looked at one by one, so that a bad one costs no more than itself.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from icalendar.parser import Contentline

LONGEST = 75
"""How many octets a line may have."""

NO_EVENTS = {"VTODO", "VJOURNAL", "VFREEBUSY"}
NAME = re.compile(r"[A-Za-z0-9_.-]+[:;]")

TAKEN = {
    *("UID", "SUMMARY", "DESCRIPTION", "LOCATION", "URL", "ORGANIZER", "CATEGORIES", "CLASS"),
    *("STATUS", "DTSTART", "DTEND", "DURATION", "RRULE", "RDATE", "EXDATE", "RECURRENCE-ID"),
    *("SEQUENCE", "DTSTAMP", "CREATED", "LAST-MODIFIED", "TRANSP", "PRIORITY"),
}
"""Properties of an event that are taken over, or about the file alone."""

Line = tuple[int, str]
"""Where a line begins, and what it says, unfolded."""


@dataclass
class Block:
    """A component: its name, the line that it begins at, and the lines in it."""

    name: str
    number: int
    lines: list[Line] = field(default_factory=list)
    parts: list[str] = field(default_factory=list)
    """The names of components in it that are left out."""

    def value(self, name: str) -> str:
        """Return the value of the first property *name*; "" without one."""
        for _, line in self.lines:
            if line[: len(name)].upper() == name and line[len(name) : len(name) + 1] in (":", ";"):
                return parts_of(line)[2].strip()
        return ""


@dataclass
class CalendarBlocks:
    """One calendar of a file: its own lines, its zones, and its events."""

    own: Block
    zones: list[Block] = field(default_factory=list)
    events: list[Block] = field(default_factory=list)


@dataclass
class CalendarFile:
    """A calendar file: its calendars, and what is wrong between their events."""

    calendars: list[CalendarBlocks] = field(default_factory=list)
    problems: list[Line] = field(default_factory=list)
    notes: list[Line] = field(default_factory=list)

    @property
    def last(self) -> CalendarBlocks:
        """The calendar that is being read."""
        if not self.calendars:
            self.calendars.append(CalendarBlocks(Block("VCALENDAR", 1)))
        return self.calendars[-1]


def read_feed(content: bytes) -> CalendarFile:
    """Return what is in the file; what is wrong with it is among that."""
    feed = CalendarFile()
    open_blocks: list[Block] = []
    _note_long_lines(content, feed)
    for number, raw in _lines(content):
        try:
            line = raw.decode()
            name, _, value = parts_of(line)
        except UnicodeDecodeError:
            feed.problems.append((number, "not UTF-8; the line is left out"))
            continue
        except ValueError:
            feed.problems.append((number, f"no property: {line[:40]!r}; the line is left out"))
            continue
        if name == "BEGIN":
            _open(open_blocks, value.strip().upper(), number, feed)
        elif name == "END":
            _close(open_blocks, value.strip().upper(), number, feed)
        elif not open_blocks or open_blocks[-1].name == "VCALENDAR":
            _take_own(feed, number, line, name)
        else:
            open_blocks[-1].lines.append((number, line))
    _leave_out(open_blocks, "", feed)
    _note_what_is_not_taken(feed)
    return feed


def _open(open_blocks: list[Block], name: str, number: int, feed: CalendarFile) -> None:
    if name == "VEVENT":
        _leave_out(open_blocks, "VCALENDAR", feed)
    elif name == "VCALENDAR":
        _leave_out(open_blocks, "", feed)
        feed.calendars.append(CalendarBlocks(Block(name, number)))
    open_blocks.append(Block(name, number))


def _leave_out(open_blocks: list[Block], name: str, feed: CalendarFile) -> None:
    """Leave out what is open inside of the block *name*."""
    while open_blocks and open_blocks[-1].name != name:
        block = open_blocks.pop()
        feed.problems.append((block.number, f"BEGIN:{block.name} has no END"))


def parts_of(line: str) -> tuple[str, Any, str]:
    """Return name, parameters and value. Raises ValueError where *line* is no property."""
    if not NAME.match(line):
        raise ValueError("no name of a property")
    contentline: Any = Contentline  # the library has no types for it
    name, parameters, value = contentline(line).parts()
    return name.upper(), parameters, value


def _lines(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the lines, unfolded, each with the number of its first one."""
    start, line = 1, b""
    for number, part in enumerate(content.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
        part = part.removesuffix(b"\r")
        if part[:1] in (b" ", b"\t"):
            line += part[1:]
            continue
        if line.strip():
            yield start, line
        start, line = number, part
    if line.strip():
        yield start, line


def _note_long_lines(content: bytes, feed: CalendarFile) -> None:
    numbers = [
        number
        for number, line in enumerate(content.split(b"\n"), 1)
        if len(line.removesuffix(b"\r")) > LONGEST
    ]
    if numbers:
        feed.notes.append(
            (
                numbers[0],
                f"{len(numbers)} lines from here on are longer than {LONGEST} octets and not "
                "folded; they are read as they are",
            )
        )


def _take_own(feed: CalendarFile, number: int, line: str, name: str) -> None:
    if name.startswith("V") and name != "VERSION":
        feed.problems.append((number, f"{name} is no property; the line is left out"))
    else:
        feed.last.own.lines.append((number, line))


def _close(open_blocks: list[Block], name: str, number: int, feed: CalendarFile) -> None:
    """Close the block *name*; blocks inside of an event or a zone belong to it."""
    if all(block.name != name for block in open_blocks):
        feed.problems.append((number, f"END:{name} has no BEGIN before it"))
        return
    _leave_out(open_blocks, name, feed)
    block = open_blocks.pop()
    if name == "VTIMEZONE":
        feed.last.zones.append(block)
    elif name == "VEVENT":
        feed.last.events.append(block)
    elif name in NO_EVENTS:
        feed.problems.append((block.number, f"{name} is no event"))
    elif open_blocks and open_blocks[-1].name == "VTIMEZONE":
        open_blocks[-1].lines += [
            (block.number, f"BEGIN:{name}"),
            *block.lines,
            (number, f"END:{name}"),
        ]
    elif open_blocks and open_blocks[-1].name == "VEVENT":
        open_blocks[-1].parts.append(name)


def _note_what_is_not_taken(feed: CalendarFile) -> None:
    found: Counter[str] = Counter()
    for calendar in feed.calendars:
        for event in calendar.events:
            found.update(event.parts)
            said = (re.split("[:;]", line, maxsplit=1)[0].upper() for _, line in event.lines)
            found.update(name for name in said if name not in TAKEN and name[:2] != "X-")
    if found:
        names = ", ".join(f"{count} {name}" for name, count in sorted(found.items()))
        feed.notes.append((1, f"not taken over from events: {names}"))
