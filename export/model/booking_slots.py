"""Slots: the days of a booking, and the time on each of them, by the clocks of one place."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import Any, Self

DAILY, WEEKLY, MONTHLY = "daily", "weekly", "monthly"
WEEKS = {WEEKLY: 1, "everyTwoWeeks": 2, "everyThreeWeeks": 3}
MONTHS = {MONTHLY: 1, "everyTwoMonths": 2, "everyThreeMonths": 3}
STEPS: dict[str | None, int] = {
    None: 1,
    DAILY: 1,
    **{name: 7 * weeks for name, weeks in WEEKS.items()},
    **dict.fromkeys(MONTHS, 7),
}
"""Repeatabilities, and at least how many days are between two of their days."""

CYCLE = timedelta(days=42)
"""After so many days all repeatabilities but those of MONTHS are together as before."""

DAY = timedelta(days=1)
TICK = timedelta(microseconds=1)
FIRST, LAST = datetime(1970, 1, 1), datetime(2099, 12, 31, 23, 59, 59)  # noqa: DTZ001 (local)
"""Nothing is booked before or after."""


@dataclass(frozen=True)
class Slots:
    """A time that comes back: `length` from `begin` on, and again up to the day `last`.

    `monthly` is the same weekday of the month (the second Tuesday); months that lack it are
    skipped. WEEKS may have several `weekdays`; weeks begin on Monday. A time on several days
    without a repeatability is `daily`.
    Raises ValueError for slots without a day or a length, and outside of FIRST to LAST.
    """

    begin: datetime
    """The first slot's beginning, in local time without a zone."""

    length: timedelta
    last: date
    repeatability: str | None = None
    excluded: frozenset[date] = frozenset()
    weekdays: frozenset[int] = frozenset()
    """The days of the week, 0 for Monday, where there are several; `begin` is on one of them."""

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take what was stored, also by a release that did not tell `daily`."""
        self.__dict__.update(state)
        self._tell_daily()

    def _tell_daily(self) -> None:
        if self.repeatability is None and self.last > self.begin.date():
            object.__setattr__(self, "repeatability", DAILY)

    def __post_init__(self) -> None:
        self._tell_daily()
        if self.repeatability not in STEPS:
            known = ", ".join(name for name in STEPS if name)
            raise ValueError(f"{self.repeatability!r} is no repeatability; there are {known}")
        if self.length <= timedelta() or self.last < self.begin.date():
            raise ValueError("a booking must end after it starts")
        if self.weekdays and self.repeatability not in WEEKS:
            raise ValueError(f"weekdays are for {', '.join(WEEKS)}")
        if self.weekdays and self.begin.weekday() not in self.weekdays:
            raise ValueError("a booking must start on one of its weekdays")
        if self.last > self.begin.date() and self.length > DAY * self._gap:
            raise ValueError("a booking must end before it comes back")
        if self.begin < FIRST or self.last > LAST.date():
            raise ValueError(f"a booking must be between {FIRST.year} and {LAST.year}")

    @classmethod
    def spanning(cls, start: datetime, end: datetime) -> Self:
        """Return what a booking from *start* to *end* takes: its time of day, on each day.

        A booking that ends at an earlier time of day than it starts takes all the time between.
        Raises ValueError where *end* is not after *start*.
        """
        if end.time() > start.time():
            length = datetime.combine(start.date(), end.time()) - start
            return cls(start, length, end.date())
        return cls(start, end - start, start.date())

    def without(self, day: date) -> Self:
        """Return the same slots, but none on *day*."""
        return replace(self, excluded=self.excluded | {day})

    def until(self, day: date) -> Self | None:
        """Return what of the slots begins before *day*; None for nothing."""
        return self._between(self.begin.date(), day - DAY)

    def starting(self, day: date) -> Self | None:
        """Return what of the slots begins on *day* or later; None for nothing."""
        return self._between(day, self.last)

    def _between(self, start: date, end: date) -> Self | None:
        first = next(self.days(start, end), None)
        if first is None:
            return None
        return replace(self, begin=self._on(first), last=min(end, self.last))

    def current(self, moment: datetime) -> datetime | None:
        """Return when the first slot begins that is not over at *moment*; None for no more."""
        start = max(moment.date() - self.reach, self.begin.date())
        begins = (self._on(day) for day in self.days(start, self.last))
        return next((begin for begin in begins if begin + self.length > moment), None)

    @property
    def is_empty(self) -> bool:
        """Whether all slots there might be are excluded."""
        return self.starting(self.begin.date()) is None

    @property
    def first_end(self) -> datetime:
        """The end of the first slot, in local time."""
        return self.begin + self.length

    @property
    def end(self) -> datetime:
        """The end on the last day, in local time."""
        return datetime.combine(self.last, self.begin.time()) + self.length

    def occurs_on(self, day: date) -> bool:
        """Say whether there is a slot that begins on *day*."""
        first = self.begin.date()
        if not first <= day <= self.last or day in self.excluded:
            return False
        if self.repeatability in MONTHS:
            months = (day.year - first.year) * 12 + day.month - first.month
            is_due = months % MONTHS[self.repeatability] == 0
            return is_due and day.weekday() == first.weekday() and _ordinal(day) == _ordinal(first)
        if self.weekdays and self.repeatability in WEEKS:
            weeks = (_monday(day) - _monday(first)).days // 7
            return day.weekday() in self.weekdays and weeks % WEEKS[self.repeatability] == 0
        return (day - first).days % STEPS[self.repeatability] == 0

    def days(self, start: date, end: date) -> Iterator[date]:
        """Yield the days from *start* to *end* on which a slot begins."""
        first, step = self.begin.date(), self._step
        skipped = max(0, -(-(start - first).days // step))
        number = (min(end, self.last) - first).days
        for days in range(skipped * step, number + 1, step):
            day = first + timedelta(days=days)
            if self.occurs_on(day):
                yield day

    def times(
        self, start: datetime = FIRST, end: datetime = LAST
    ) -> Iterator[tuple[datetime, datetime]]:
        """Yield beginning and end of each slot that lies within *start* and *end*."""
        for day in self.days(start.date(), end.date()):
            begin = self._on(day)
            if start <= begin and begin + self.length <= end:
                yield begin, begin + self.length

    def each(self) -> Iterator[tuple[datetime, datetime]]:
        """Yield beginning and end of each slot."""
        for day in self.days(self.begin.date(), self.last):
            start = self._on(day)
            yield start, start + self.length

    def overlaps(self, other: Slots) -> bool:
        """Say whether there is a moment that both take; touching is none."""
        few, many = sorted((self, other), key=Slots._at_most)
        start = many.begin.date() - few.reach
        end = min(many.last + many.reach, few.decided_by(many))
        return any(few.meets(many, day) for day in few.days(start, end))

    def meets(self, other: Slots, day: date) -> bool:
        """Return whether the slot that begins on *day* overlaps one of *other*."""
        start = self._on(day)
        end = start + self.length
        return any(
            other._on(rival) < end and start < other._on(rival) + other.length
            for rival in other.days(day - other.reach, end.date())
        )

    @property
    def reach(self) -> timedelta:
        """How many midnights a slot goes over, in days."""
        begins = datetime.combine(self.begin.date(), time())
        return DAY * ((self.begin - begins + self.length - TICK) // DAY)

    def _on(self, day: date) -> datetime:
        return datetime.combine(day, self.begin.time())

    @property
    def _step(self) -> int:
        """After how many days there may be a slot again."""
        return 1 if self.weekdays else STEPS[self.repeatability]

    @property
    def _gap(self) -> int:
        """How many days are between two slots at least."""
        days = sorted(self.weekdays)
        around = [*days[1:], days[0] + STEPS[self.repeatability]] if days else ()
        gaps = (later - earlier for earlier, later in zip(days, around, strict=True))
        return min(gaps, default=STEPS[self.repeatability])

    def _at_most(self) -> float:
        return (self.last - self.begin.date()).days / self._step

    def decided_by(self, other: Slots) -> date:
        """Return the day after which whether they overlap does not change any more."""
        if self.repeatability in MONTHS or other.repeatability in MONTHS:
            return date.max
        known = (self.begin.date(), other.begin.date(), *self.excluded, *other.excluded)
        return max(known) + CYCLE + self.reach + other.reach


def _monday(day: date) -> date:
    return day - DAY * day.weekday()


def _ordinal(day: date) -> int:
    return (day.day - 1) // 7
