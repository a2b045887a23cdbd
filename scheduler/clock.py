"""The one clock of scheduler, tasks and livesync, replaceable in tests.

Every time inside the system is an aware UTC datetime; zones appear only at the edges.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import ClassVar


class TimeSource:
    """Where the current time comes from.

    A test sets a source of its own with `TimeSource.set(source)`; anything that has
    `getCurrentTime()` and `sleep(seconds)` will do.
    """

    _source: ClassVar[TimeSource]

    @classmethod
    def get(cls) -> TimeSource:
        """Return the source in force."""
        return TimeSource._source

    @classmethod
    def set(cls, source: TimeSource) -> None:
        """Put *source* in force for the whole process."""
        TimeSource._source = source

    def getCurrentTime(self) -> datetime:
        """Return the current time as an aware UTC datetime."""
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        """Wait for *seconds*."""
        time.sleep(seconds)


TimeSource.set(TimeSource())


def nowutc() -> datetime:
    """Return the current time of the source in force, as an aware UTC datetime."""
    return TimeSource.get().getCurrentTime()
