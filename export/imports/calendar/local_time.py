"""The zones of a calendar's times: every time gets one that is known, before it is read."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from typing import Any

from icalendar import Timezone
from icalendar.parser import Contentline

from export.imports.calendar.lines import Block, CalendarBlocks, parts_of
from export.imports.calendar.zones import zone_named
from export.imports.ids import digest
from export.model.local_time import iana_zone

DATED = {"DTSTART", "DTEND", "RECURRENCE-ID", "EXDATE", "RDATE"}
DAY = re.compile(r"\d{8}", re.ASCII)
FLOATING = re.compile(r"\d{8}T\d{6}(?!Z)", re.ASCII)
WORLD = {"UTC", "Etc/UTC", "GMT", "Etc/GMT", "Z"}
"""Names of UTC, whose times are written with a Z."""

MOMENT = re.compile(r"\d{8}T\d{4,6}", re.ASCII)
UNTOLD = "the calendar's times have no zone; they are taken for UTC, or give one with --timezone"


@dataclass
class Clock:
    """The zones of one calendar. Zones that it defines itself have names of their own.

    Two calendars may call different zones alike, and a library keeps one for each name.
    """

    defined: dict[str, Block] = field(default_factory=dict)
    """The definitions by the names that the calendar has for them, renamed."""

    default: str | None = None
    """The zone of times without one; None where its name says nothing."""

    is_assumed: bool = False
    """Whether nobody has told the default."""

    method: str = ""

    @classmethod
    def of(cls, calendar: CalendarBlocks, timezone: str = "") -> Clock:
        """Return the zones of *calendar*, and *timezone* for times that it gives none."""
        clock = cls(method=calendar.own.value("METHOD").upper())
        for block in calendar.zones:
            name = block.value("TZID")
            if name and iana_zone(name) is None:
                clock.defined.setdefault(name, _renamed(block))
        told = calendar.own.value("X-WR-TIMEZONE")
        clock.default = clock.resolved(told) if told else timezone or "UTC"
        if clock.default is None and timezone:
            clock.default = timezone
        clock.is_assumed = not told and not timezone
        return clock

    def resolved(self, name: str) -> str | None:
        """Return a name for the zone *name* that is known; None for a zone that nobody knows."""
        if iana_zone(name) is not None:
            return name
        if name in self.defined:
            return self.defined[name].value("TZID")
        zone = zone_named(name)
        return zone.key if zone is not None else None

    def settled(self, block: Block) -> list[Block]:
        """Return *block* with a zone for each time, and before it the definitions it needs."""
        lines = [(number, self._settled_line(line)) for number, line in block.lines]
        text = "\n".join(line for _, line in lines)
        used = [zone for zone in self.defined.values() if zone.value("TZID") in text]
        return [*used, Block(block.name, block.number, lines)]

    def is_floating(self, block: Block) -> bool:
        """Say whether *block* begins at a time without a zone."""
        for _, line in block.lines:
            if line[:7].upper() == "DTSTART":
                _, parameters, value = parts_of(line)
                return "TZID" not in parameters and bool(MOMENT.fullmatch(value.strip()))
        return False

    def zone_of(self, block: Block) -> tzinfo:
        """Return the zone that *block* is told in: that of its start, else the calendar's."""
        return self._zone(self._name_of(block)) or self._zone(self.default) or UTC

    def zone_name_of(self, block: Block) -> str:
        """Return the name that IANA has for the zone of *block*, or for one that is like it."""
        for name in (self._name_of(block), self.default):
            definition = self._definition(name)
            like = definition.value("X-LIC-LOCATION") if definition is not None else ""
            zone = zone_named(like) or zone_named(name or "") if name else None
            if zone is not None:
                return zone.key
        return "UTC"

    def _name_of(self, block: Block) -> str | None:
        for _, line in block.lines:
            if line[:8].upper() == "DTSTART;":
                name = parts_of(line)[1].get("TZID")
                return str(name) if name else None
        return None

    def _definition(self, name: str | None) -> Block | None:
        """Return the definition of the zone *name*, as the calendar has it or as it is renamed."""
        renamed = (block for block in self.defined.values() if block.value("TZID") == name)
        return self.defined.get(name or "") or next(renamed, None)

    def _zone(self, name: str | None) -> tzinfo | None:
        definition = self._definition(name)
        if definition is None:
            return zone_named(name) if name else None
        lines = [line for _, line in definition.lines]
        text = "\r\n".join(["BEGIN:VTIMEZONE", *lines, "END:VTIMEZONE", ""])
        component: Any = Timezone  # the library has no types for it
        try:
            found: tzinfo = component.from_ical(text).to_tz(lookup_tzid=False)
        except (ValueError, KeyError, TypeError, IndexError, AttributeError):
            return None
        return found

    def _settled_line(self, line: str) -> str:
        name = re.split("[:;]", line, maxsplit=1)[0].upper()
        if name not in DATED:
            return line
        _, parameters, value = parts_of(line)
        values = [one.strip() for one in value.split(",")]
        told = parameters.pop("TZID", None)
        if all(DAY.fullmatch(one) for one in values):
            parameters["VALUE"] = "DATE"
        elif not all(one.partition("/")[0].endswith("Z") for one in values):
            zone = self.resolved(str(told)) if told else self.default
            if zone in WORLD:
                values = [FLOATING.sub(r"\g<0>Z", one) for one in values]
            else:
                parameters["TZID"] = zone or str(told or "unknown")
        elif "VALUE" in parameters and str(parameters["VALUE"]).upper() == "DATE":
            del parameters["VALUE"]
        contentline: Any = Contentline  # the library has no types for it
        return str(contentline.from_parts(name, parameters, ",".join(values)))


def _renamed(block: Block) -> Block:
    """Return the definition *block* with a name that says what is in it."""
    content = "\n".join(line for _, line in block.lines)
    lines = [
        (number, f"TZID:zone-{digest(content)}" if line[:5].upper() in ("TZID:", "TZID;") else line)
        for number, line in block.lines
    ]
    return Block(block.name, block.number, lines)
