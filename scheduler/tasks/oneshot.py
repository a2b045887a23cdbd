"""Tasks that are run once."""

from __future__ import annotations

from datetime import datetime

from scheduler.clock import aware, moment, stamp
from scheduler.tasks.base import BaseTask


class OneShotTask(BaseTask):
    """A task that is run once, at *startDateTime* or as soon after it as may be.

    Both dates are aware datetimes; *expiryDate* is the last moment at which it may start.
    A date beyond the calendar of UTC (the years 1 to 9999) stands for its end.
    """

    def __init__(self, startDateTime: datetime, expiryDate: datetime | None = None) -> None:
        super().__init__(expiryDate)
        self._start_on = stamp(aware(startDateTime, "startDateTime"))

    def getStartOn(self) -> datetime:
        """Return when the task is to be run, in UTC."""
        return moment(self._start_on)

    def setStartOn(self, dt: datetime) -> None:
        """Set when the task is to be run; for one in the queue use `Client.moveTask`."""
        self._start_on = stamp(aware(dt, "the start date"))
