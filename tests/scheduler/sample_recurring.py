"""Recurring tasks for the tests."""

from __future__ import annotations

import os
import time
from typing import ClassVar

from scheduler import nowutc
from scheduler.clock import TimeSource
from scheduler.store import current
from scheduler.tasks import IntervalTask, PeriodicTask, PeriodicUniqueTask
from scheduler.tasks.retry import Retry
from tests.scheduler.sample_tasks import count


class Tick(PeriodicTask):
    """Adds one to the root's `count`, at each date."""

    def run(self):
        count("count")


class EverySecond(IntervalTask):
    """Adds one to the root's `count`, every second."""

    def __init__(self, start=None, **policies):
        super().__init__(1, start, **policies)

    def run(self):
        count("count")


class WaitEverySecond(IntervalTask):
    """Adds a line to the file *go*.begun, and ends once there is a file *go*."""

    def __init__(self, go, **policies):
        super().__init__(1, **policies)
        self.go = go

    def run(self):
        with open(f"{self.go}.begun", "a") as file:
            file.write("begun\n")
        while not os.path.exists(self.go):
            time.sleep(0.01)


class Noted(IntervalTask):
    """Notes in the root's `runs` when it is run; the first run takes some seconds."""

    fails = False

    def __init__(self, seconds, takes=0, **policies):
        super().__init__(seconds, **policies)
        self.takes = takes

    def run(self):
        root = current().root()
        if "runs" not in root:
            TimeSource.get().sleep(self.takes)
        root["runs"] = [*root.get("runs", ()), nowutc()]
        if self.fails:
            raise ValueError("as told")


class NotedForgetful(Noted):
    """Goes on after what it missed."""

    catchUp = "none"


class UniqueTick(PeriodicUniqueTask):
    def run(self):
        count("count")


class EverySecondFails(PeriodicTask):
    runs = 0

    def prepare(self):
        super().prepare()
        self.runs += 1

    def run(self):
        if self.runs % 2 == 0:
            raise ValueError("an even run")


class LimitedTick(PeriodicTask):
    """Sleeps beyond its hard limit, in its first run only."""

    hardLimit = 0.5

    def run(self):
        if not self.getOccurrences():
            time.sleep(3600)
        count("count")


class Undecided(PeriodicTask):
    """Cannot say whether it comes back."""

    def run(self):
        count("count")

    def shouldComeBack(self):
        raise RuntimeError("undecided")


class Failing(IntervalTask):
    """Fails at each date, after two tries."""

    maxTries = 2
    retries: ClassVar = {ValueError: Retry(first=1)}

    def run(self):
        raise ValueError("never")
