"""Tasks for the tests: at module level, so that worker processes can import them."""

from __future__ import annotations

import os
import time

import transaction

from scheduler import Client, TaskDelayed, nowutc
from scheduler.clock import TimeSource
from scheduler.store import current, transact
from scheduler.tasks import IntervalTask, OneShotTask, PeriodicTask, PeriodicUniqueTask


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


class Commit(OneShotTask):
    """Commits by itself, which a task must not."""

    def run(self):
        count("count")
        transaction.commit()


class Abort(OneShotTask):
    """Aborts its run's transaction, which a task must not."""

    def run(self):
        transaction.abort()
        count("count")


class CommitElsewhere(OneShotTask):
    """Commits in a transaction of its own, then fails."""

    def run(self):
        transact(current().db(), lambda connection: count("count"))
        raise ValueError("what was committed elsewhere stays")


class MeetConflict(OneShotTask):
    """Has somebody else change what it changes, in its first run only."""

    def run(self):
        root = current().root()
        seen = root.get("count", 0)
        if seen == 0:
            transact(current().db(), lambda connection: count("count"))
        root["count"] = seen + 1


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


leaked = []


class Leak(OneShotTask):
    """Counts, and keeps *megabytes* of memory for ever; writes its process's id to *file*."""

    def __init__(self, start, megabytes, file):
        super().__init__(start)
        self.megabytes = megabytes
        self.file = file

    def run(self):
        with open(self.file, "a") as file:
            file.write(f"{os.getpid()}\n")
        leaked.append(b"x" * (self.megabytes * 2**20))
        time.sleep(1.5)
        count("count")


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


class LimitedTick(PeriodicTask):
    """Sleeps beyond its hard limit, in its first run only."""

    hardLimit = 0.5

    def run(self):
        if not self.getOccurrences():
            time.sleep(3600)
        count("count")


class Wait(OneShotTask):
    """Ends once there is a file *go*, then counts."""

    def __init__(self, start, go):
        super().__init__(start)
        self.go = go

    def run(self):
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


class Die(OneShotTask):
    """Takes its worker process down with it."""

    def run(self):
        os._exit(7)


class DieOnce(OneShotTask):
    """Takes its worker process down with it, if *file* does not exist yet."""

    def __init__(self, start, file):
        super().__init__(start)
        self.file = file

    def run(self):
        count("count")
        if not os.path.exists(self.file):
            with open(self.file, "w"):
                os._exit(7)


class Parent(OneShotTask):
    """Enqueues a task of its own."""

    def run(self):
        Client().enqueue(Count(self.getStartOn()))


class SelfEnqueuing(OneShotTask):
    """Enqueues another of its kind, for at once."""

    def run(self):
        Client().enqueue(SelfEnqueuing(self.getStartOn()))


class Prepare(OneShotTask):
    """Its preparation, or its tearing down, asks the process to exit."""

    def __init__(self, start, where):
        super().__init__(start)
        self.where = where

    def prepare(self):
        super().prepare()
        if self.where == "prepare":
            raise SystemExit(2)

    def run(self):
        count("count")

    def tearDown(self):
        if self.where == "tearDown":
            raise SystemExit(2)


class NamedLikeMarks(OneShotTask):
    """Has attributes of its own that are called as ordinary words are."""

    def __init__(self, start):
        super().__init__(start)
        self.fail = self.retry = self.delay = self.finish = self.expire = True

    def run(self):
        raise ValueError("to be recorded")


class Undecided(PeriodicTask):
    """Cannot say whether it comes back."""

    def run(self):
        count("count")

    def shouldComeBack(self):
        raise RuntimeError("undecided")
