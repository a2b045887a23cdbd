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
        """Tell the schedule, unless it goes by other tasks now."""
        if self in self.schedule.tasks:
            self.tell(self.getStartOn() or nowutc())

    def tell(self, date: datetime) -> None:
        """Tell the schedule that it is *date*."""
        raise NotImplementedError(f"{type(self).__name__} does not say what it tells")


class StartTask(InstanceTask):
    """Starts an instance."""

    def tell(self, date: datetime) -> None:
        """Start the instance."""
        self.schedule.start(date)


class StopTask(InstanceTask):
    """Stops an instance."""

    def tell(self, date: datetime) -> None:
        """Stop the instance."""
        self.schedule.stop(date)
