"""How a schedule comes back: as slots that a room is booked for, and as rules of tasks."""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

from dateutil import rrule

from export.model.booking_slots import DAILY, DAY, LAST, MONTHLY, WEEKLY, Slots
from scheduler.schedules.rule import Rule

NONE = "none"
TYPES = (WEEKLY, MONTHLY, DAILY, NONE)
NO_END, AFTER, BY = RANGES = ("no", "after", "by")


@dataclass(frozen=True)
class Recurrence:
    """The days on which a schedule has instances, from the day of its start on.

    `weekly` is on `weeks_range`, else on the weekday of the start; `monthly` on the same weekday
    of each month (the second Tuesday). Without an end it goes on to the end of 2099.
    """

    type: str = NONE
    weeks_range: tuple[int, ...] = ()
    """Days of the week, 0 for Sunday."""
    range_type: str = NO_END
    end_after: int | None = None
    """How many instances there are, where `range_type` is `after`."""
    end_by: date | None = None
    """The last day, where it is `by`."""

    def slots(self, begin: datetime, length: timedelta) -> list[Slots]:
        """Return what a room has to be booked for; *begin* is by the clocks of the room.

        It is one Slots for each weekday. Raises ValueError where nothing is left.
        """
        repeatability = None if self.type == NONE else self.type
        last = self._last(begin)
        found = [
            Slots(first, length, first.date() if self.type == NONE else last, repeatability)
            for first in self._firsts(begin)
            if first.date() <= last
        ]
        if not found:
            raise ValueError("the schedule would end before it starts")
        return found

    def rule(self, slots: list[Slots], zone: ZoneInfo, delay: timedelta) -> Rule:
        """Return when a task is to run: *delay* after the beginning of each slot.

        Raises ValueError for a delay over midnight of something monthly.
        """
        begins = min(one.begin for one in slots)
        first = begins + delay
        nights = first.date() - begins.date()
        until = datetime.combine(max(one.last for one in slots), begins.time()) + delay
        start = first.replace(tzinfo=zone)
        if self.type == NONE:
            return Rule(rrule.DAILY, dtstart=start, count=1)
        if self.type == DAILY:
            return Rule(rrule.DAILY, dtstart=start, until=until)
        if self.type == MONTHLY:
            if nights:
                raise ValueError("a monthly schedule must end on the day it starts")
            day = rrule.weekday(first.weekday(), (first.day - 1) // 7 + 1)
            return Rule(rrule.MONTHLY, dtstart=start, until=until, byweekday=day)
        days = sorted((one.begin + nights).weekday() for one in slots)
        return Rule(rrule.WEEKLY, dtstart=start, until=until, byweekday=tuple(days))

    def _firsts(self, begin: datetime) -> list[datetime]:
        if self.type != WEEKLY or not self.weeks_range:
            return [begin]
        weekdays = ((day - 1) % 7 for day in sorted(set(self.weeks_range)))
        return [begin + DAY * ((day - begin.weekday()) % 7) for day in weekdays]

    def _last(self, begin: datetime) -> date:
        if self.range_type == BY and self.end_by is not None:
            return self.end_by
        if self.range_type != AFTER or self.end_after is None:
            return LAST.date()
        kind = None if self.type == NONE else self.type
        days = heapq.merge(
            *(
                Slots(first, DAY, LAST.date(), kind).days(first.date(), LAST.date())
                for first in self._firsts(begin)
            )
        )
        return next(islice(days, self.end_after - 1, None), LAST.date())
