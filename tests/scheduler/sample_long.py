"""Tasks for the tests that take long: with limits, progress, and a say in when they end."""

from __future__ import annotations

import os
import time

from scheduler.tasks import OneShotTask
from tests.scheduler.sample_tasks import count


class Report(OneShotTask):
    """Tells of its progress and waits for a file *go*, then returns a result."""

    def __init__(self, start, go):
        super().__init__(start)
        self.go = go

    def run(self):
        self.getLogger().info("half of it is done")
        self.setProgress(0.5, "half")
        while not os.path.exists(self.go):
            time.sleep(0.01)
        return {"answer": 42}


class Endless(OneShotTask):
    """Goes on until it is cancelled; says to *file* that it has begun, and that it was asked."""

    def __init__(self, start, file):
        super().__init__(start)
        self.file = file

    def run(self):
        count("count")
        self._say("begun")
        try:
            while True:
                self.checkCancelled()
                time.sleep(0.01)
        finally:
            self._say("ended")

    def _say(self, word):
        with open(self.file, "a") as file:
            file.write(f"{word}\n")


class Limited(Endless):
    """Goes on until it is over its hard limit."""

    hardLimit = 0.5


class SoftlyLimited(Endless):
    """Goes on until it is over its soft limit."""

    softLimit = 0.3


class Wait(OneShotTask):
    """Makes a file *go*.begun, and ends once there is a file *go*, then counts."""

    def __init__(self, start, go):
        super().__init__(start)
        self.go = go

    def run(self):
        with open(f"{self.go}.begun", "w"):
            pass
        while not os.path.exists(self.go):
            time.sleep(0.01)
        count("count")


class Sleep(OneShotTask):
    """Sleeps for *seconds*, then counts; writes its process's id to *file* first, if given."""

    def __init__(self, start, seconds, file=None):
        super().__init__(start)
        self.seconds = seconds
        self.file = file

    def run(self):
        if self.file is not None:
            with open(self.file, "a") as file:
                file.write(f"{os.getpid()}\n")
        time.sleep(self.seconds)
        count("count")
