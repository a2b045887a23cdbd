"""Breaks, and the timetable: what of an event takes place on which day."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta, tzinfo
from typing import Any

from export.fossilize import Fossilizable
from export.model.entry import Placed
from export.model.local_time import in_zone

LONGEST = 1000
"""How many days of an event are told, whether there is something on them or not."""


class Break(Placed):
    """A pause of an event, or of a slot that owns it; its id is unique in the event."""

    color: str = "#90C0F0"
    text_color: str = "#202020"


class TimetableEntry(Fossilizable):
    """Something in a timetable; kinds have a `key`, unique in the event. A slot has `entries`."""

    def __init__(self, of: Any, slot: Any = None) -> None:
        self.of = of
        self.slot = slot
        self.entries: list[Any] = []


class ContribSchEntry(TimetableEntry):
    """A contribution, in a slot or by itself."""

    @property
    def key(self) -> str:
        """`c1`, or in session 2 `s2c1`."""
        session = f"s{self.slot.getSession().getId()}" if self.slot is not None else ""
        return f"{session}c{self.of.getId()}"


class LinkedTimeSchEntry(TimetableEntry):
    """A slot with what is in it."""

    @property
    def key(self) -> str:
        """`s2l0` for slot 0 of session 2."""
        return _slot_key(self.of)


class BreakTimeSchEntry(TimetableEntry):
    """A break, in a slot or by itself."""

    @property
    def key(self) -> str:
        """`b1`, or in slot 0 of session 2 `s2l0b1`."""
        return f"{_slot_key(self.slot) if self.slot is not None else ''}b{self.of.getId()}"


def timetable(event: Any, shows: Callable[[Any], bool], zone: tzinfo) -> dict[date, list[Any]]:
    """Return the entries of each day of *event* in *zone*, of what *shows* lets be seen.

    Contributions are inside their slots, or by themselves where their session may not be seen.
    """
    entries = [(_day(entry.of.getStartDate(), zone), entry) for entry in _entries(event, shows)]
    days: dict[date, list[Any]] = {
        day: [] for day in _days(event, zone, {day for day, _ in entries})
    }
    for day, entry in entries:
        if day in days:
            days[day].append(entry)
    return days


def _entries(event: Any, shows: Callable[[Any], bool]) -> Iterator[Any]:
    inside: set[str] = set()
    for slot in event.getSessionSlotList():
        if not _is_dated(slot) or not shows(slot):
            continue
        entry = LinkedTimeSchEntry(slot)
        talks = [talk for talk in slot.contributions if _is_dated(talk) and shows(talk)]
        inside.update(talk.getId() for talk in talks)
        pauses = [pause for pause in event.breaks if pause.getOwner() is slot and _is_dated(pause)]
        entry.entries = [
            *(ContribSchEntry(talk, slot) for talk in talks),
            *(BreakTimeSchEntry(pause, slot) for pause in pauses),
        ]
        yield entry
    for talk in event.getContributionList():
        if talk.getId() not in inside and _is_dated(talk) and shows(talk):
            yield ContribSchEntry(talk)
    for pause in event.breaks:
        if pause.getOwner() is event and _is_dated(pause):
            yield BreakTimeSchEntry(pause)


def _is_dated(entry: Any) -> bool:
    return entry.getStartDate() is not None and entry.getEndDate() is not None


def _days(event: Any, zone: tzinfo, with_entries: set[date]) -> list[date]:
    """Return the days of *event*; of a very long one those with entries."""
    if not _is_dated(event):
        return []
    first, last = _day(event.getStartDate(), zone), _day(event.getEndDate(), zone)
    count = (last - first).days + 1
    if count > LONGEST:
        return sorted(day for day in with_entries if first <= day <= last)
    return [first + timedelta(days=number) for number in range(count)]


def _day(moment: datetime, zone: tzinfo) -> date:
    return in_zone(moment, zone).date()


def _slot_key(slot: Any) -> str:
    return f"s{slot.getSession().getId()}l{slot.getId()}"
