"""Tasks of schedules: what is done at the beginning and at the end of each instance."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from scheduler.clock import nowutc
from scheduler.schedules.rule import Rule
from scheduler.tasks.recurring import RecurringTask


class InstanceTask(RecurringTask):
    """Tells a schedule what time it is, at the dates of *rule*."""

    def __init__(self, schedule: Any, rule: Rule, **policies: Any) -> None:
        super().__init__(rule, **policies)
        self.schedule = schedule

    def is_ahead(self) -> bool:
        """Say whether there are dates to come; turn to the first of them."""
        date = self.getStartOn()
        if date is not None and date <= nowutc():
            date = self.setNextOccurrence()
        return date is not None

    def run(self) -> None:
        """Start or stop the instance, unless the schedule has other tasks now."""
        if self in self.schedule.tasks:
            self.apply(self.getStartOn() or nowutc())

    def apply(self, date: datetime) -> None:
        """Start or stop the instance of *date*."""
        raise NotImplementedError(f"{type(self).__name__} does not say what it does")


class StartTask(InstanceTask):
    """Starts an instance."""

    def apply(self, date: datetime) -> None:
        """Start the instance."""
        self.schedule.start(date)


class StopTask(InstanceTask):
    """Stops an instance."""

    def apply(self, date: datetime) -> None:
        """Stop the instance."""
        self.schedule.stop(date)
