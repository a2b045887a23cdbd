"""Tasks to try things with."""

from __future__ import annotations

from scheduler.clock import TimeSource
from scheduler.tasks.oneshot import OneShotTask
from scheduler.tasks.periodic import PeriodicTask


class SampleOneShotTask(OneShotTask):
    """Sleeps for a second, once."""

    def run(self) -> None:
        """Sleep for a second."""
        _sleep(self)


class SamplePeriodicTask(PeriodicTask):
    """Sleeps for a second, at each date of its rule."""

    def run(self) -> None:
        """Sleep for a second."""
        _sleep(self)


def _sleep(task: OneShotTask | PeriodicTask) -> None:
    task.getLogger().debug("%r falls asleep", task)
    TimeSource.get().sleep(1)
    task.getLogger().debug("%r wakes up", task)
