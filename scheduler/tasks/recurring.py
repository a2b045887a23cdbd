"""Tasks that are run again and again: what is done at the dates of a schedule, and between them."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from datetime import datetime
from itertools import islice
from typing import Any, Literal

from BTrees.IOBTree import IOBTree, IOBucket

from scheduler import states
from scheduler.clock import aware, later, moment, nowutc, stamp
from scheduler.inbox.spool import PAUSE, spool_of
from scheduler.schedules.schedule import Schedule, packed, unpacked
from scheduler.tasks.attempt import Attempt
from scheduler.tasks.base import BaseTask
from scheduler.tasks.firing import BackfilledFiring, Firing
from scheduler.tasks.occurrence import TaskOccurrence

# Seconds late from which a date counts as missed, for a task that skips missed dates.
MISSED_SECONDS = 60.0
# How many ended runs stand in the task's own record, which each run writes anyhow.
RECENT = 8
# Dates that one call of `Client.backfill` may run.
BACKFILL_LIMIT = 10_000


class OccurrenceLeaf(IOBucket):
    """A leaf of the ended runs: its class tells it from the application's own data."""


class Occurrences(IOBTree):
    """The ended runs of a task, by number; small buckets, as some are added now and then."""

    _bucket_type = OccurrenceLeaf
    max_leaf_size = 8


class RecurringTask(BaseTask):
    """A task that is run at each date of a *schedule*; subclasses take what makes one up.

    The policies below decide about dates at which it cannot be run; each is an attribute of the
    class and an argument of the constructor. A run that fails for good
    is recorded as an occurrence, and the schedule goes on. ValueError for a policy there is not.
    """

    catchUp: Literal["all", "latest", "none"] = "latest"
    """The policy for dates that were missed: "all": each is run, one after the other; "latest": one
    late run makes up for them; "none": a date is skipped that is a minute late, or later than
    *misfireGrace*."""

    misfireGrace: float | None = None
    """How many seconds late a run may start; one that cannot is recorded as missed, TERMINATED,
    and the schedule goes on. None for any number."""

    overlap: Literal["skip", "queue", "allow"] = "skip"
    """The policy for dates that fall into a run: "skip": they are skipped; "queue": they are run
    afterwards, one by one; "allow": each date starts a run of its own, even beside an earlier
    one. Such a run must not change the task itself, but objects of its own."""

    jitter: float = 0
    """By up to so many seconds each date is delayed at random; the schedule itself stays. It
    should be less than there is between two dates."""

    keepOccurrences: int = 100
    """How many ended runs are kept with the task, at most; one at least."""

    keepOccurrencesFor: float | None = None
    """For how many seconds ended runs are kept with the task; None for ever."""

    pauseOnFailure: bool = False
    """Whether the task is paused when an attempt fails for good, until it is resumed."""

    _comes_back = True
    _schedule: tuple[Any, ...]  # its kind and what it is made of
    _next: float | None = None
    _count = 0  # how many occurrences there were so far
    _recent_runs: tuple[TaskOccurrence | Firing, ...] = ()  # the last of them, and the older ones:
    _occurrences: Occurrences | None = None

    def __init__(
        self, schedule: Schedule, expiryDate: datetime | None = None, **policies: Any
    ) -> None:
        super().__init__(expiryDate)
        for name, value in policies.items():
            if name not in POLICIES:
                raise TypeError(f"{name!r} is no policy; there are {', '.join(POLICIES)}")
            setattr(self, name, value)
        for name, (is_sound, remedy) in POLICIES.items():
            value = getattr(self, name)
            if not is_sound(value):
                raise ValueError(f"{name} is {value!r}; it must be {remedy}")
        self._keep_schedule(schedule)
        self._go_to(schedule.first())

    def getStartOn(self) -> datetime | None:
        """Return the date of the next occurrence, in UTC; None when the schedule is exhausted."""
        return None if self._next is None else moment(self._next)

    def setStartOn(self, dt: datetime) -> None:
        """Set the date of the next occurrence; the schedule goes on behind it."""
        self._next = stamp(aware(dt, "the start date"))

    def getDueOn(self) -> datetime | None:
        """Return when the task is to be taken up next: its date with the jitter, or a retry's."""
        due = super().getDueOn()
        if due is None or not self.jitter > 0 or self._retry_on is not None:
            return due
        chance = random.Random(f"{self.getId()} {self._next}").random()  # noqa: S311 (no secret)
        return later(due, chance * self.jitter)

    def getSchedule(self) -> Schedule:
        """Return the schedule by which the task is run."""
        schedule: Schedule | None = getattr(self, "_v_schedule", None)
        if schedule is None:
            schedule = self._v_schedule = unpacked(self._schedule)
        return schedule

    def setSchedule(self, schedule: Schedule) -> None:
        """Go on by another schedule, from now; in the queue use `Client.changeSchedule`."""
        self._keep_schedule(schedule)
        self._go_to(schedule.after(nowutc()))

    def setNextOccurrence(self, dateAfter: datetime | None = None) -> datetime | None:
        """Move on to the schedule's first date behind *dateAfter* (now), and return it.

        It is later than the present one too. None when the schedule is exhausted.
        """
        date = self.getStartOn()
        if date is None:
            return None
        after = nowutc() if dateAfter is None else aware(dateAfter, "dateAfter")
        return self._go_to(self.getSchedule().after(max(date, after)))

    def addOccurrence(self, o: TaskOccurrence) -> None:
        """Keep *o* with the task, under the next number; the oldest ones may have to go."""
        o.setId(self._count)
        self._keep(o)

    def getOccurrences(self) -> list[TaskOccurrence]:
        """Return the ended runs that are kept, oldest first."""
        runs = [*(self._occurrences or {}).values(), *self._recent_runs][-self.keepOccurrences :]
        kept = [run for run in runs[:-1] if not self._is_old(run)] + runs[-1:]
        occurrences = (run.getOccurrence() if isinstance(run, Firing) else run for run in kept)
        return [occurrence for occurrence in occurrences if occurrence is not None]

    def _occurrence_number(self) -> int:
        return self._count

    def shouldComeBack(self) -> bool:
        """Say whether the task is to be run again after this time."""
        return self._comes_back

    def dontComeBack(self) -> None:
        """Make this time the last one."""
        self._comes_back = False

    def _instead_of_run(self, now: datetime) -> Callable[[], None] | None:
        """Return what is done at a date that is missed, or whose run is a task of its own."""
        instead = super()._instead_of_run(now)
        if instead is not None or self._retry_on is not None:
            return instead
        if self._is_missed(now):
            return lambda: self._miss(now)
        return self._fire if self.overlap == "allow" else None

    def _finish(self, attempt: Attempt, result: Any = None) -> None:
        """Record a run that succeeded as an occurrence, and turn to the next date."""
        super()._finish(attempt, result)
        self._turn(self._last_dropped())

    def _end(self, attempt: Attempt) -> None:
        """Record the last run for a date as an occurrence, and turn to the next date."""
        super()._end(attempt)
        self._turn(self._last_dropped())
        if self.pauseOnFailure and self._status == states.TASK_STATUS_QUEUED:
            spool_of(self._p_jar).put(PAUSE, self)

    def _miss(self, now: datetime) -> None:
        """Record that there was no run at a date, and turn to the first that is still to be had."""
        message = f"missed: it was due at {self.getDueOn():%Y-%m-%d %H:%M:%S} UTC"
        super()._end(Attempt(1, now, now, states.TASK_STATUS_TERMINATED, message))
        self._turn(None if self.catchUp == "all" else later(now, -(self._grace() or 0)))

    def _fire(self) -> None:
        """Enqueue a task of its own for the run at this date, and turn to the next one."""
        date = self.getStartOn() or nowutc()
        firing = Firing(self, self._count, date)
        firing._enter(self._p_jar)  # noqa: SLF001 (a task's way into the spool)
        self._keep(firing)
        self._fire_apart()
        self._turn_to(date if self.catchUp == "all" else nowutc())

    def _backfill(self, dates: Iterable[datetime]) -> None:
        """Enqueue a task of its own for each of *dates*; they are run one after the other."""
        for date in dates:
            firing = BackfilledFiring(self, self._count, date)
            firing._enter(self._p_jar)  # noqa: SLF001 (a task's way into the spool)
            self._keep(firing)

    def _ended_element(self) -> Any:
        """Return the last occurrence; None for a firing, the task if it has ended as a whole."""
        if self._status in (states.TASK_STATUS_TERMINATED, states.TASK_STATUS_ABORTED):
            return self
        last = self._last_run()
        return None if isinstance(last, Firing) else last

    def _is_missed(self, now: datetime) -> bool:
        grace, due = self._grace(), self.getDueOn()
        return grace is not None and due is not None and (now - due).total_seconds() > grace

    def _grace(self) -> float | None:
        if self.misfireGrace is None and self.catchUp == "none":
            return MISSED_SECONDS
        return self.misfireGrace

    def _last_dropped(self) -> datetime | None:
        """Return up to when the dates after the present one are dropped; None for not at all."""
        date = self.getStartOn()
        upcoming = date and self.getSchedule().after(date)
        if upcoming is None:
            return None
        started, ended = moment(self._attempts[0][1]), moment(self._attempts[-1][2])
        if self.catchUp == "all":
            # Between two tries, the first may have been lost with its scheduler, nothing runs.
            last_try = moment(self._attempts[-1][1])
            return ended if self.overlap == "skip" and upcoming > last_try else None
        if self.overlap == "skip":
            return ended
        return started if started >= upcoming > self._last_ended() else None

    def _last_ended(self) -> datetime:
        # A date that fell into the run before, and is queued, was not missed.
        last = self._last_run()
        return (isinstance(last, TaskOccurrence) and last.getEndedOn()) or _never

    def _turn(self, dropped: datetime | None) -> None:
        self.addOccurrence(TaskOccurrence(self))
        self._attempts = ()  # they stand with the occurrence now
        self._begin_anew()
        self._forget_way()
        self._turn_to(dropped)

    def _turn_to(self, dropped: datetime | None) -> None:
        after = dropped or self.getStartOn()
        if not self.shouldComeBack() or self.setNextOccurrence(after) is None:
            return
        due = self.getDueOn()
        if due is not None:
            self._queue(stamp(due))

    def _last_run(self) -> TaskOccurrence | Firing | None:
        if self._recent_runs:
            return self._recent_runs[-1]
        return self._occurrences[self._count - 1] if self._occurrences else None

    def _keep(self, run: TaskOccurrence | Firing) -> None:
        if len(self._recent_runs) == RECENT:
            self._put_away()
        self._recent_runs += (run,)
        self._count += 1

    def _put_away(self) -> None:
        """Move the runs in the task's own record to the older ones, and drop what is not kept."""
        runs = self._occurrences = self._occurrences or Occurrences()
        runs.update(list(enumerate(self._recent_runs, self._count - len(self._recent_runs))))
        self._recent_runs = ()
        for number in list(runs.keys(max=self._count - self.keepOccurrences - 1)):
            del runs[number]
        while runs and self._is_old(runs[runs.minKey()]):
            del runs[runs.minKey()]

    def _is_old(self, run: TaskOccurrence | Firing) -> bool:
        if self.keepOccurrencesFor is None:
            return False
        ended = run.getEndedOn()
        return ended is not None and ended < later(nowutc(), -self.keepOccurrencesFor)

    def _keep_schedule(self, schedule: Schedule) -> None:
        if not isinstance(schedule, Schedule):
            raise TypeError(f"{schedule!r} is no schedule: give a Rule, a Cron or an Interval")
        self._schedule = packed(schedule)
        self._v_schedule = schedule

    def _go_to(self, date: datetime | None) -> datetime | None:
        self._next = None if date is None else stamp(date)
        return date


def backfilled(
    task: RecurringTask, since: datetime, until: datetime
) -> tuple[datetime, datetime, int]:
    """Return both dates in UTC, and how many dates the schedule of *task* has from one to other.

    TypeError for a task without a schedule, ValueError for dates to come and for too many.
    """
    if not isinstance(task, RecurringTask):
        raise TypeError(f"{task!r} has no schedule: it is run once")
    begin, end = (moment(stamp(aware(each, "a date"))) for each in (since, until))
    if end > nowutc():
        raise ValueError(f"until is {until}, which is to come: the schedule will run it")
    dates = islice(task.getSchedule().between(begin, end), BACKFILL_LIMIT + 1)
    number = sum(1 for _ in dates)
    if number > BACKFILL_LIMIT:
        raise ValueError(f"there are more than {BACKFILL_LIMIT} dates: choose a shorter time")
    return begin, end, number


def _is_seconds(value: Any) -> bool:
    return isinstance(value, int | float) and value >= 0


# By name: whether a value will do, and what it must be.
POLICIES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "catchUp": (("all", "latest", "none").__contains__, "'all', 'latest' or 'none'"),
    "misfireGrace": (
        lambda value: value is None or _is_seconds(value),
        "a number of seconds, or None",
    ),
    "overlap": (("skip", "queue", "allow").__contains__, "'skip', 'queue' or 'allow'"),
    "pauseOnFailure": (lambda value: isinstance(value, bool), "True or False"),
    "jitter": (_is_seconds, "a number of seconds"),
    "keepOccurrences": (lambda value: isinstance(value, int) and value > 0, "at least 1"),
    "keepOccurrencesFor": (
        lambda value: value is None or _is_seconds(value),
        "a number of seconds, or None",
    ),
}


_never = datetime.min.replace(tzinfo=nowutc().tzinfo)
