"""Tasks for the tests of which there is one of a key."""

from __future__ import annotations

from scheduler.tasks import OneShotTask
from tests.scheduler.sample_tasks import count


class Keyed(OneShotTask):
    """Counts; there is one of a key at work at a time."""

    def __init__(self, start, key):
        super().__init__(start)
        self.key = key

    def uniqueKey(self):
        return self.key

    def run(self):
        count(self.key)


class Debounced(Keyed):
    """Takes the place of the one that waits."""

    uniqueReplaces = True


class HourlyKeyed(Keyed):
    """Keeps others of its key away for an hour."""

    uniqueFor = 3600
