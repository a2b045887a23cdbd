"""An application's classes and functions, as the sample database has them."""

from __future__ import annotations

from enum import Enum

from persistent import Persistent

from export.fossilize import IFossil
from scheduler import attempt, task
from scheduler.store import current
from scheduler.tasks import BoundTask, CronTask, IntervalTask, OneShotTask, PeriodicUniqueTask


class Colour(Enum):
    RED = 1


class Lecture(Persistent):
    """An object that tasks are bound to."""

    def __init__(self, start):
        self.start = start


class Shelf(Persistent):
    """An object of a watched class."""

    def __init__(self, number):
        self.number = number

    def getNumber(self):
        return self.number


def shelf_number(shelf):
    return shelf.number


class IShelfFossil(IFossil):
    def getNumber(): ...


class Announce(BoundTask):
    def getStartOn(self):
        return self.subject.start

    def run(self):
        return note("announced")


class Note(OneShotTask):
    """Notes its name: afterwards it is seen that it was run."""

    def __init__(self, start, name, **attributes):
        super().__init__(start)
        self.name = name
        vars(self).update(attributes)

    def limitKey(self):
        return "one" if self.queueName in ("narrow", "keyed") else None

    def run(self):
        return note(self.name)


@task
def wait_for_approval():
    attempt.waitForSignal("approved")


@task
async def note_and_await():
    return note("awaited")


class Beat(IntervalTask):
    def run(self):
        return note("beat")


class Hourly(CronTask):
    def run(self):
        return note("hour")


class Patrol(PeriodicUniqueTask):
    def run(self):
        return note("patrol")


def note(name):
    """Add *name* to what was noted in the database of the run."""
    root = current().root()
    root["noted"] = [*root.get("noted", ()), name]
    return name


@task(unique=True, priority=2, queueName="calls")
def note_once(name):
    return note(name)


@task(hardLimit=3600)
def note_alone(name):
    return note(name)


@task(cron="0 0 1 1 *")
def note_yearly():
    return note("a year")


def fail():
    raise ValueError("it fails whenever it is called")


def long_text():
    return "a result that is not small " * 100
