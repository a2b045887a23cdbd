"""Recurrence rules as text: `FREQ=WEEKLY;BYDAY=MO`, as RFC 5545 and calendars write them."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any, NamedTuple

from dateutil import rrule

from scheduler.clock import nowutc
from scheduler.schedules.rule import Rule
from scheduler.schedules.schedule import Schedule, zone_named
from scheduler.schedules.schedule_set import ScheduleSet

_LINES = ("DTSTART", "RRULE", "EXRULE", "RDATE", "EXDATE")
_DAY = re.compile(r"([+-]?\d{1,2})?(MO|TU|WE|TH|FR|SA|SU)")
_DATE = re.compile(r"(\d{4})(\d{2})(\d{2})(?:T(\d{2})(\d{2})(\d{2})(Z?))?")


def rule_from_text(text: str, zone: str = "UTC", start: datetime | None = None) -> Rule:
    """Return the rule that *text* says, in the *zone* with that name; it starts now, or at *start*.

    ValueError for a text that makes no rule.
    """
    parts = text.strip().removeprefix("RRULE:").rstrip(";").split(";")
    try:
        given = dict(part.upper().split("=", 1) for part in parts)
        frequency = rrule.FREQNAMES.index(given.pop("FREQ"))
        arguments = dict(_argument(name, value) for name, value in given.items())
        begin = (start or nowutc()).astimezone(zone_named(zone))
        return Rule(frequency, dtstart=begin, **arguments)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{text!r} is no recurrence rule ({error}): give one such as "
            "'FREQ=WEEKLY;BYDAY=MO,WE;BYHOUR=9;BYMINUTE=0;BYSECOND=0'"
        ) from None


def schedule_from_text(text: str, zone: str = "UTC") -> Schedule:
    """Return the schedule of *text*: a rule, or the lines of a set of rules as calendars have them.

    The lines are `DTSTART`, `RRULE`, `EXRULE`, `RDATE` and `EXDATE`, each with a `TZID` if it is
    not in the *zone* with that name. ValueError for a text that makes no schedule.
    """
    lines = [_line(line, zone) for line in text.split("\n") if line.strip()]
    if [line.name for line in lines] == ["RRULE"]:
        return rule_from_text(lines[0].value, zone)
    starts = [(line.moments()[0], line.zone) for line in lines if line.name == "DTSTART"]
    start, home = starts[0] if starts else (None, zone)
    return ScheduleSet(
        *(rule_from_text(each.value, home, start) for each in lines if each.name == "RRULE"),
        rdates=[date for line in lines if line.name == "RDATE" for date in line.moments()],
        exdates=[date for line in lines if line.name == "EXDATE" for date in line.dates()],
        exclude=[
            rule_from_text(each.value, home, start) for each in lines if each.name == "EXRULE"
        ],
    )


class _Line(NamedTuple):
    """A line of a schedule: its property, its value, and the zone of that."""

    name: str
    value: str
    zone: str

    def moments(self) -> list[datetime]:
        """Return the dates that the line lists."""
        zone = zone_named(self.zone)
        found = map(date_from_text, self.value.split(","))
        return [each if each.tzinfo else each.replace(tzinfo=zone) for each in found]

    def dates(self) -> list[date]:
        """Return the dates that the line lists; days for those without a time."""
        texts = self.value.split(",")
        return [
            moment if "T" in text else moment.date()
            for text, moment in zip(texts, self.moments(), strict=True)
        ]


def _line(text: str, zone: str) -> _Line:
    head, colon, value = text.strip().rpartition(":")
    name, *parameters = (head or "RRULE").split(";")
    if name.upper() not in _LINES or (colon and not value):
        raise ValueError(f"{text!r} is no line of a schedule: known are {', '.join(_LINES)}")
    zones = (each[5:] for each in parameters if each.upper().startswith("TZID="))
    return _Line(name.upper(), value, next(zones, zone))


def _argument(name: str, value: str) -> tuple[str, Any]:
    argument, read = _ARGUMENTS[name]
    return argument, read(value)


def _numbers(value: str) -> list[int]:
    return [int(each) for each in value.split(",")]


def _days(value: str) -> list[rrule.weekday]:
    return [_weekday(each) for each in value.split(",")]


def _weekday(value: str) -> rrule.weekday:
    found = _DAY.fullmatch(value)
    if found is None:
        raise ValueError(f"{value!r} is no day of the week")
    day: rrule.weekday = getattr(rrule, found[2])
    return day if found[1] is None else day(int(found[1]))


def date_from_text(value: str) -> datetime:
    """Return the date that RFC 5545 writes so, such as 20261224T180000Z; naive without the Z."""
    found = _DATE.fullmatch(value)
    if found is None:
        raise ValueError(f"{value!r} is no date such as 20261224T180000Z")
    date = datetime(*(int(part or 0) for part in found.groups()[:6]))  # type: ignore[arg-type]  # noqa: DTZ001
    return date.replace(tzinfo=UTC) if found[7] else date


_ARGUMENTS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "INTERVAL": ("interval", int),
    "COUNT": ("count", int),
    "UNTIL": ("until", date_from_text),
    "WKST": ("wkst", _weekday),
    "BYDAY": ("byweekday", _days),
    **{
        f"BY{name}": (f"by{name.lower()}", _numbers)
        for name in ("MONTH", "MONTHDAY", "YEARDAY", "WEEKNO", "SETPOS", "HOUR", "MINUTE", "SECOND")
    },
}
