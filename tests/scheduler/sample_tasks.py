"""Tasks for the tests: at module level, so that worker processes can import them."""

from __future__ import annotations

from scheduler import Client, TaskDelayed
from scheduler.store import current
from scheduler.tasks import OneShotTask


def count(key: str) -> None:
    root = current().root()
    root[key] = root.get(key, 0) + 1


class Noop(OneShotTask):
    def run(self):
        pass


class Count(OneShotTask):
    """Adds one to the root's `count`."""

    def run(self):
        count("count")


class Raise(OneShotTask):
    """Changes something, then raises *error*."""

    def __init__(self, start, error):
        super().__init__(start)
        self.error = error

    def run(self):
        count("count")
        self.changed = True
        raise self.error


class FailTimes(OneShotTask):
    """Fails as often as it is told, then counts."""

    def __init__(self, start, times):
        super().__init__(start)
        self.times = times

    def run(self):
        count("count")
        if len(self.getAttempts()) < self.times:
            raise ValueError("not yet")


class DelayOnce(OneShotTask):
    """Asks to be run a little later, the first time."""

    asked = False

    def prepare(self):
        super().prepare()
        self.is_first = not self.asked
        self.asked = True

    def run(self):
        count("count")
        if self.is_first:
            raise TaskDelayed(0.2)


class Started(OneShotTask):
    """Notes what `start` is told, around its run."""

    def start(self, delay=0):
        self.delay = delay
        return "started: " + super().start(delay)

    def run(self):
        return "run"


class TearDown(OneShotTask):
    """Counts how often it is torn down; fails if told so."""

    def __init__(self, start, is_failing=False):
        super().__init__(start)
        self.is_failing = is_failing

    def run(self):
        if self.is_failing:
            raise ValueError("as told")

    def tearDown(self):
        count("torn down")


class Parent(OneShotTask):
    """Enqueues a task of its own."""

    def run(self):
        Client().enqueue(Count(self.getStartOn()))
