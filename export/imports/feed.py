"""A calendar file as blocks of lines, each line with its number.

Lines are looked at one by one, so that a bad one costs no more than itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from icalendar.parser import Contentline

LONGEST = 75
"""How many octets a line may have."""

NO_EVENTS = {"VTODO", "VJOURNAL", "VFREEBUSY"}

Line = tuple[int, str]
"""Where a line begins, and what it says, unfolded."""


@dataclass
class Block:
    """A component: its name, the line that it begins at, and the lines in it."""

    name: str
    number: int
    lines: list[Line] = field(default_factory=list)

    def value(self, name: str) -> str:
        """Return the value of the first property *name*; "" without one."""
        for _, line in self.lines:
            head, _, value = line.partition(":")
            if head.partition(";")[0].upper() == name:
                return value.strip()
        return ""

    def names_zone(self, name: str) -> bool:
        """Say whether a time of it is in the zone *name*."""
        return any(";TZID=" in line.upper() and name in line for _, line in self.lines)


@dataclass
class Feed:
    """A calendar file: its own lines, its zones, its events, and what is wrong between them."""

    own: Block
    zones: list[Block] = field(default_factory=list)
    events: list[Block] = field(default_factory=list)
    problems: list[tuple[int, str]] = field(default_factory=list)


def read_feed(content: bytes) -> Feed:
    """Return what is in the file; what is wrong with it is among that."""
    feed = Feed(Block("VCALENDAR", 1))
    open_blocks: list[Block] = []
    _note_long_lines(content, feed)
    for number, raw in _lines(content):
        try:
            line = raw.decode()
            name, _, value = _parts(line)
        except UnicodeDecodeError:
            feed.problems.append((number, "not UTF-8; the line is left out"))
            continue
        except ValueError:
            feed.problems.append((number, f"no property: {line[:40]!r}; the line is left out"))
            continue
        if name == "BEGIN":
            if value.upper() == "VEVENT":
                _give_up(open_blocks, "VCALENDAR", feed)
            open_blocks.append(Block(value.upper(), number))
        elif name == "END":
            _close(open_blocks, value.upper(), number, feed)
        elif not open_blocks or open_blocks[-1].name == "VCALENDAR":
            _take_own(feed, number, line, name)
        else:
            open_blocks[-1].lines.append((number, line))
    _give_up(open_blocks, "", feed)
    return feed


def _give_up(open_blocks: list[Block], name: str, feed: Feed) -> None:
    """Leave out what is open inside of the block *name*."""
    while open_blocks and open_blocks[-1].name != name:
        block = open_blocks.pop()
        feed.problems.append((block.number, f"BEGIN:{block.name} has no END"))


def _parts(line: str) -> tuple[str, Any, str]:
    """Return name, parameters and value. Raises ValueError where *line* is no property."""
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


def _note_long_lines(content: bytes, feed: Feed) -> None:
    numbers = [
        number
        for number, line in enumerate(content.split(b"\n"), 1)
        if len(line.removesuffix(b"\r")) > LONGEST
    ]
    if numbers:
        feed.problems.append(
            (
                numbers[0],
                f"{len(numbers)} lines from here on are longer than {LONGEST} octets and not "
                "folded; they are read as they are",
            )
        )


def _take_own(feed: Feed, number: int, line: str, name: str) -> None:
    if name.startswith("V") and name != "VERSION":
        feed.problems.append((number, f"{name} is no property; the line is left out"))
    else:
        feed.own.lines.append((number, line))


def _close(open_blocks: list[Block], name: str, number: int, feed: Feed) -> None:
    """Close the block *name*; blocks inside of an event or a zone belong to it."""
    if all(block.name != name for block in open_blocks):
        feed.problems.append((number, f"END:{name} has no BEGIN before it"))
        return
    _give_up(open_blocks, name, feed)
    block = open_blocks.pop()
    if name == "VTIMEZONE":
        feed.zones.append(block)
    elif name == "VEVENT":
        feed.events.append(block)
    elif name in NO_EVENTS:
        feed.problems.append((block.number, f"{name} is no event"))
    elif open_blocks and open_blocks[-1].name == "VTIMEZONE":
        open_blocks[-1].lines += [
            (block.number, f"BEGIN:{name}"),
            *block.lines,
            (number, f"END:{name}"),
        ]
