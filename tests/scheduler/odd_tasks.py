"""Stored tasks with something odd about them, as a release or a fault leaves them behind."""

from __future__ import annotations

import enum
import math
import random
import sys
import types
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from dateutil import rrule
from persistent import Persistent
from persistent.mapping import PersistentMapping
from ZODB.Connection import TransactionMetaData
from ZODB.utils import load_current

from scheduler import SchedulerModule, nowutc
from scheduler import task as task_options
from scheduler.inbox.spool import ADD, spool_of
from scheduler.schedules.interval import Interval
from scheduler.shelves.queue_slot import QueueSlot
from scheduler.states import TASK_STATUS_FINISHED, TASK_STATUS_QUEUED, TASK_STATUS_SPOOLED
from scheduler.tasks import BoundTask, CronTask, IntervalTask, TaskOccurrence
from scheduler.tasks.call import call_of, path_of
from scheduler.tasks.chain import TaskChain
from scheduler.tasks.firing import Firing
from scheduler.tasks.group import TaskGroup
from scheduler.tasks.prerequisites import Prerequisites
from scheduler.tasks.scheduled_call import ScheduledCall
from tests.scheduler.sample_recurring import Tick
from tests.scheduler.sample_tasks import Noop

PASSING = "passing_values"


@task_options(maxTries=1)
def nothing():
    pass


@task_options(every=1e8)
def now_and_then():
    pass


class Keyed(Noop):
    """Waits in a queue of its own, for a key with a rate."""

    queueName, priority, keyLimit, keyRate, keyPeriod = "of keys", 3, 2, 10, 0.2
    _place = ("of keys", 3, "key")

    def limitKey(self):
        return "key"

    def uniqueKey(self):
        return f"unique {self.getId()}"


class Subject(Persistent):
    """What bound tasks are about."""

    def __init__(self):
        self.date = nowutc()


class Bound(BoundTask):
    def getStartOn(self):
        return self.subject.date

    def run(self):
        pass


class OnCron(CronTask):
    def run(self):
        pass


class OnInterval(IntervalTask):
    def run(self):
        pass


def passing_values(is_there):
    """Return a module of an application that has lost, or has, a member and a class."""
    module = types.ModuleType(PASSING)
    members = {"RED": 1, "BLUE": 2} if is_there else {"RED": 1}
    module.Color = enum.Enum("Color", members, module=PASSING)
    if is_there:
        module.Gone = type("Gone", (), {"__module__": PASSING})
        module.GonePersistent = type("GonePersistent", (Persistent,), {"__module__": PASSING})
    sys.modules[PASSING] = module
    return module


def odd_values(module):
    return {
        "None": None,
        "empty text": "",
        "text": "odd",
        "surrogate": "\ud800",
        "bytes": b"\xff",
        "zero": 0,
        "minus one": -1,
        "true": True,
        "huge": 10**400,
        "large": 1e308,
        "1e15": 1e15,
        "nan": math.nan,
        "inf": math.inf,
        "minus inf": -math.inf,
        "tuple": (),
        "tuple of odd": (None, math.nan),
        "nested": ((1, None, "x", 4),),
        "list": [],
        "dict": {1: 2},
        "naive": datetime(2020, 1, 1),  # noqa: DTZ001 (that is what is odd about it)
        "last date": datetime.max.replace(tzinfo=UTC),
        "timedelta": timedelta.max,
        "class": int,
        "mapping": PersistentMapping(),
        "member": module.Color.BLUE,
        "object": module.Gone(),
        "persistent": module.GonePersistent(),
    }


RECORDS = {
    "cut to a byte": lambda record, _: record[:1],
    "cut short": lambda record, _: record[: len(record) // 2],
    "last byte lost": lambda record, _: record[:-1],
    "class lost": lambda record, _: record[10:],
    "zeros": lambda record, _: bytes(len(record)),
    "swapped with a mapping": lambda _, other: other,
}

KINDS = {
    "one-shot": lambda: Noop(nowutc()),
    "call": lambda: call_of(nowutc(), print, (), {}),
    "tuned call": lambda: call_of(nowutc(), nothing, (), {}),
    "keyed": lambda: Keyed(nowutc()),
    "scheduled call": lambda: ScheduledCall(path_of(now_and_then), Interval(1e8)),
    "rule": lambda: Tick(rrule.YEARLY, dtstart=nowutc()),
    "overlapping": lambda: Tick(rrule.YEARLY, dtstart=nowutc(), overlap="allow"),
    "cron": lambda: OnCron("0 0 1 1 *"),
    "interval": lambda: OnInterval(1e8),
    "firing": lambda: Firing(Tick(rrule.YEARLY, dtstart=nowutc()), 0, nowutc()),
    "bound": lambda: Bound(Subject()),
    "step": lambda: TaskChain(Noop(nowutc()), Noop(nowutc())).getSteps()[0],
    "chain": lambda: TaskChain((Noop(nowutc()), Noop(nowutc())), Noop(nowutc())).getSteps()[0],
    "member": lambda: TaskGroup([Noop(nowutc())]).getTasks()[0],
    "group": lambda: TaskGroup([Noop(nowutc())]).getTasks()[0],
    "follower": lambda: with_prerequisites(Noop(nowutc())),
    "ran before": lambda: with_occurrence(Tick(rrule.YEARLY, dtstart=nowutc())),
}

STATE = (
    *("expiryDate", "_status", "_created", "_settled", "_tries", "_retry_on", "_queued_for"),
    *("_place", "_attempts", "_result", "_undone", "_follower", "_rollback", "_after", "_group"),
    "_position",
    *("_started", "_ended", "maxTries", "retries", "softLimit", "hardLimit", "uniqueFor"),
    *("uniqueReplaces", "queueName", "priority", "keyLimit", "inOrder", "alone", "uniqueKey"),
    *("limitKey", "keepFinished", "keepFailed", "keyRate", "keyPeriod", "uniqueStates"),
    *("longestWait", "_headers", "_origin", "_awaits", "_signals", "_checkpoint", "_waits_since"),
    *("_reruns", "_position"),
)
OWN = {
    "one-shot": ("_start_on",),
    "call": ("_name", "_args", "_kwargs", "_receiver"),
    "tuned call": ("_name", "_args", "_kwargs", "_receiver"),
    "scheduled call": ("_name", "_schedule", "_next"),
    "rule": (
        "_schedule",
        "_next",
        "_count",
        "_recent_runs",
        "_occurrences",
        "_comes_back",
        "catchUp",
        "misfireGrace",
        "overlap",
        "jitter",
        "keepOccurrences",
        "keepOccurrencesFor",
    ),
    "overlapping": ("_schedule", "_next", "_count", "_recent_runs", "jitter", "overlap"),
    "cron": ("_schedule", "_next"),
    "interval": ("_schedule", "_next"),
    "firing": ("task", "number", "_occurrence", "_start_on"),
    "bound": ("subject", "_date", "_met"),
}
COMPOSITE = (
    *("_members", "_is_begun", "_is_cancelled", "_outcome", "_undoers", "_to_undo", "_undoing"),
    *("_after", "_group", "_position"),
)
PART = {  # of what is beside the task: which object, and its attributes
    "group": (
        lambda task: task._group,
        (*COMPOSITE, "_pending", "_failed", "onFailure", "_positions"),
    ),
    "chain": (lambda task: task._group, (*COMPOSITE, "_at")),
    "follower": (lambda task: task._after, ("_steps", "when")),
    "ran before": (
        lambda task: task._recent_runs[0],
        ("_task", "_number", "_started", "_ended", "_attempts"),
    ),
}
PLACES = ("spool", "queue", "running")


class Case(NamedTuple):
    kind: str
    place: str
    attribute: str
    value: str

    def __str__(self):
        return f"{self.kind} in {self.place}: {self.attribute} is {self.value}"


def with_occurrence(task):
    task._started = task._ended = nowutc().timestamp()
    task.addOccurrence(TaskOccurrence(task))
    return task


def with_prerequisites(task):
    before = Noop(nowutc())
    before._status = TASK_STATUS_FINISHED
    task._after = Prerequisites.__new__(Prerequisites)
    task._after.when, task._after._steps = "finished", (before,)
    return task


def all_cases():
    values = odd_values(passing_values(True))
    for kind in KINDS:
        attributes = PART[kind][1] if kind in PART else STATE + OWN.get(kind, ())
        for place in PLACES:
            for attribute in attributes:
                yield from (Case(kind, place, attribute, value) for value in values)
            yield from (Case(kind, place, "record", how) for how in RECORDS)


def some_cases(number):
    cases = list(all_cases())
    return random.Random(7).sample(cases, number)


def plant(connection, case):
    """Store the task of *case* on its shelf; return it, and the object that is odd."""
    task = KINDS[case.kind]()
    odd = PART[case.kind][0](task) if case.kind in PART else task
    connection.add(task)
    task._status = TASK_STATUS_SPOOLED if case.place == "spool" else TASK_STATUS_QUEUED
    due = task._queued_for = nowutc().timestamp()
    if task._group is not None:
        task._group._is_begun = True
    if isinstance(task._group, TaskGroup):
        task._group._pending.insert(task.getId())
    module = SchedulerModule.getDBInstance(connection)
    if case.place == "spool":
        spool_of(connection).put(ADD, task)
    elif case.place == "queue":
        module.queues.put_back(task, due, QueueSlot(*task._place))
    else:
        module.running.add(task, due)
    if case.attribute != "record":
        odd.__dict__[case.attribute] = odd_values(sys.modules[PASSING])[case.value]
        odd._p_changed = True
    return task, odd


def damage(database, oid, other, how):
    """Write the record of the object *oid* anew, as a fault leaves it; *other* is for swapping."""
    storage = database._mvcc_storage.new_instance()
    storage.poll_invalidations()
    record, serial = load_current(database.storage, oid)
    swapped, _ = load_current(database.storage, other)
    unit = TransactionMetaData()
    storage.tpc_begin(unit)
    storage.store(oid, serial, RECORDS[how](record, swapped), "", unit)
    storage.tpc_vote(unit)
    storage.tpc_finish(unit)
    storage.release()
