"""Sets of schedules: the dates of several, with dates added (RDATE) and excluded (EXDATE)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from scheduler.clock import aware, in_utc, moment, nowutc
from scheduler.schedules.schedule import (
    Schedule,
    packed,
    unpacked,
    zone_named,
)

# Dates that are excluded one after the other, before a set counts as one without dates.
EXCLUDED_AT_MOST = 5_000


class ScheduleSet(Schedule):
    """The dates of *schedules*, and *rdates*, without *exdates* and the dates of *exclude*.

    *rdates* are aware datetimes; *exdates* are aware datetimes, or dates: whole days in the zone
    of the first schedule. Dates are compared to the second. ValueError for a set of nothing.
    """

    kind = "set"

    def __init__(
        self,
        *schedules: Schedule,
        rdates: Iterable[datetime] = (),
        exdates: Iterable[date] = (),
        exclude: Iterable[Schedule] = (),
    ) -> None:
        self.schedules = schedules
        self.exclude = tuple(exclude)
        for schedule in (*self.schedules, *self.exclude):
            if not isinstance(schedule, Schedule):
                raise TypeError(f"{schedule!r} is no schedule: give a Rule, a Cron or an Interval")
        self.rdates = tuple(sorted(in_utc(aware(each, "an rdate")) for each in rdates))
        if not self.schedules and not self.rdates:
            raise ValueError("a set of schedules needs a schedule, or a date in rdates")
        given = tuple(exdates)
        moments = (each for each in given if isinstance(each, datetime))
        self.exdates = tuple(sorted(int(aware(each, "an exdate").timestamp()) for each in moments))
        self.exdays = tuple(sorted({each.isoformat() for each in given if _is_day(each)}))
        zones = (getattr(schedule, "zone", None) for schedule in self.schedules)
        self.zone: str = next(filter(None, zones), "UTC")

    def first(self) -> datetime | None:
        """Return the first date, in UTC; rdates before the schedules begin, and now, are past."""
        firsts = [found for schedule in self.schedules if (found := schedule.first())]
        begin = min([nowutc(), *firsts])
        found = min([*firsts, *(each for each in self.rdates if each >= begin)], default=None)
        return None if found is None else self.after(found, inclusive=True)

    def after(self, moment: datetime, inclusive: bool = False) -> datetime | None:
        """Return the first date behind *moment* (or at it), in UTC; None if it has none."""
        for _ in range(EXCLUDED_AT_MOST):
            found = self._next(moment, inclusive)
            if found is None:
                return None
            day = found.astimezone(zone_named(self.zone)).date()
            if day.isoformat() in self.exdays:
                moment, inclusive = self._begin_of(day + timedelta(days=1)), True
            elif self._is_excluded(found):
                moment, inclusive = found, False
            else:
                return found
        return None

    def packed(self) -> tuple[Any, ...]:
        """Return the set as a tuple of plain values, as it is stored."""
        return (
            tuple(map(packed, self.schedules)),
            tuple(each.timestamp() for each in self.rdates),
            self.exdates,
            self.exdays,
            tuple(map(packed, self.exclude)),
            self.zone,
        )

    @classmethod
    def unpacked(cls, stored: tuple[Any, ...]) -> ScheduleSet:
        """Return the set that was stored as *stored*."""
        found = cls.__new__(cls)
        schedules, rdates, found.exdates, found.exdays, exclude, found.zone = stored
        found.schedules = tuple(map(unpacked, schedules))
        found.rdates = tuple(map(moment, rdates))
        found.exclude = tuple(map(unpacked, exclude))
        return found

    def __repr__(self) -> str:
        parts = [" and ".join(map(repr, self.schedules))] if self.schedules else []
        parts += [f"also {_dates(len(self.rdates))}"] if self.rdates else []
        excluded = len(self.exdates) + len(self.exdays)
        parts += [f"without {_dates(excluded)}"] if excluded else []
        parts += [f"without {' and '.join(map(repr, self.exclude))}"] if self.exclude else []
        return ", ".join(parts)

    def _next(self, moment: datetime, inclusive: bool) -> datetime | None:
        found = [schedule.after(moment, inclusive) for schedule in self.schedules]
        found += [each for each in self.rdates if each > moment or (inclusive and each == moment)]
        return min((each for each in found if each is not None), default=None)

    def _is_excluded(self, date: datetime) -> bool:
        second = date.replace(microsecond=0)
        if int(second.timestamp()) in self.exdates:
            return True
        end = second + timedelta(seconds=1)
        dates = (schedule.after(second, inclusive=True) for schedule in self.exclude)
        return any(each is not None and each < end for each in dates)

    def _begin_of(self, day: date) -> datetime:
        return datetime.combine(day, time(), zone_named(self.zone)).astimezone(UTC)


def with_dates(
    schedule: Schedule, rdates: Sequence[datetime] = (), exdates: Sequence[date] = ()
) -> Schedule:
    """Return *schedule* with *rdates* added and *exdates* excluded, as `ScheduleSet` has them."""
    if not rdates and not exdates:
        return schedule
    return ScheduleSet(schedule, rdates=rdates, exdates=exdates)


def _is_day(value: date) -> bool:
    if not isinstance(value, date):
        raise TypeError(f"an exdate is {value!r}; it must be a date or an aware datetime")
    return not isinstance(value, datetime)


def _dates(number: int) -> str:
    return "1 date" if number == 1 else f"{number} dates"
