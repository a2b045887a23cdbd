"""Cron expressions, as schedules."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from cronsim import CronSim, CronSimError

from scheduler.clock import nowutc
from scheduler.schedules.schedule import LocalSchedule, longest_gap, zone_named
from scheduler.values.plain import plain

SECOND = timedelta(seconds=1)
HOURS_OF_A_DAY = 24
_ANY = datetime(1970, 1, 1, tzinfo=UTC).replace(tzinfo=None)


class Cron(LocalSchedule):
    """The dates of a cron *expression*, in local time of the *zone* with that name.

    Five fields as in Debian's crontab, with `L` for the last day or weekday of a month and
    `#` for its n-th weekday; six when seconds come first. ValueError for one that is none.
    """

    kind = "cron"

    def __init__(self, expression: str, zone: str = "UTC") -> None:
        self.expression = " ".join(str(plain(expression)).split())
        zone_named(zone)  # which checks it
        self.zone = plain(zone)
        self._started_at(_ANY)  # which checks the expression

    def first(self) -> datetime | None:
        """Return the expression's first date from now on, in UTC; None if it has none."""
        return self.after(nowutc(), inclusive=True)

    def labels(self, start: datetime) -> Iterator[datetime]:
        """Yield the local dates from *start* on, in order, without a zone."""
        return self._started_at(start - SECOND)

    def is_dense(self, change: timedelta) -> bool:
        """Say whether the dates go on evenly where clocks are changed by *change*.

        As in Debian's cron: where the field of minutes or hours begins with a star; and beyond
        that, where all hours are given one by one.
        """
        minutes, hours = self.expression.split()[-5:-3]
        if minutes.startswith("*") or hours.startswith("*"):
            return True
        fields = self._started_at(_ANY)
        return len(fields.hours) == HOURS_OF_A_DAY and longest_gap(fields.minutes) <= change

    def packed(self) -> tuple[Any, ...]:
        """Return expression and zone, as they are stored."""
        return self.expression, self.zone

    @classmethod
    def unpacked(cls, stored: tuple[Any, ...]) -> Cron:
        """Return the one that was stored as *stored*."""
        cron = cls.__new__(cls)
        cron.expression, cron.zone = stored
        return cron

    def __repr__(self) -> str:
        return f"cron {self.expression} {self.zone}"

    def _started_at(self, start: datetime) -> CronSim:
        try:
            return CronSim(self.expression, start)
        # Its parser also lets out what Python says about an odd field.
        except (CronSimError, ValueError, AssertionError, TypeError) as error:
            raise ValueError(
                f"{self.expression!r} is no cron expression ({error}): give minute, hour, day, "
                "month and weekday, as in '30 3 * * mon'"
            ) from None
