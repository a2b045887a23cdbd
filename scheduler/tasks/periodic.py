"""The recurring tasks of each kind: by a recurrence rule, a cron expression, a fixed interval."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from scheduler.schedules.cron import Cron
from scheduler.schedules.interval import Interval
from scheduler.schedules.rule import Rule
from scheduler.schedules.schedule_set import with_dates
from scheduler.store.moved import first_path
from scheduler.tasks.recurring import POLICIES, RecurringTask


class PeriodicTask(RecurringTask):
    """A task that is run at each date of a rule: `dateutil.rrule.rrule(frequency, **rrule_args)`.

    Without a `dtstart` the rule starts now, in UTC. Beside the rule's arguments there may be
    *rdates* and *exdates* (see `ScheduleSet`), an `expiryDate`, and the policies of a recurring
    task. TypeError or ValueError for arguments that make no rule.
    """

    def __init__(self, frequency: int, **rrule_args: Any) -> None:
        others = {
            name: rrule_args.pop(name) for name in ("expiryDate", *POLICIES) if name in rrule_args
        }
        dates = {name: rrule_args.pop(name, ()) for name in ("rdates", "exdates")}
        super().__init__(with_dates(Rule(frequency, **rrule_args), **dates), **others)


class PeriodicUniqueTask(PeriodicTask):
    """A periodic task of which there is one: never are two of a key queued or running.

    The key is the class, unless `uniqueKey` is overridden. A second one is turned away by the
    scheduler when it comes out of the spool; the task that is there goes on. ValueError for
    the policy that lets its runs overlap.
    """

    def __init__(self, frequency: int, **rrule_args: Any) -> None:
        super().__init__(frequency, **rrule_args)
        if self.overlap == "allow":
            raise ValueError("overlap is 'allow', but a unique task has one run at a time")

    def uniqueKey(self) -> str:
        """Return what there may be one of."""
        return ".".join(first_path(type(self)))


class CronTask(RecurringTask):
    """A task that is run at each date of a cron *expression*, in the *zone* with that name.

    *rdates* are added and *exdates* excluded, see `ScheduleSet`. ValueError for an
    expression or a zone that is none.
    """

    def __init__(
        self,
        expression: str,
        zone: str = "UTC",
        expiryDate: datetime | None = None,
        rdates: Sequence[datetime] = (),
        exdates: Sequence[date] = (),
        **policies: Any,
    ) -> None:
        super().__init__(
            with_dates(Cron(expression, zone), rdates, exdates), expiryDate, **policies
        )


class IntervalTask(RecurringTask):
    """A task that is run every so many *seconds*, from *start* (an aware datetime; now) on.

    *rdates* are added and *exdates* excluded, see `ScheduleSet`. ValueError for
    seconds of 0 or less.
    """

    def __init__(
        self,
        seconds: float,
        start: datetime | None = None,
        expiryDate: datetime | None = None,
        rdates: Sequence[datetime] = (),
        exdates: Sequence[date] = (),
        **policies: Any,
    ) -> None:
        schedule = with_dates(Interval(seconds, start), rdates, exdates)
        super().__init__(schedule, expiryDate, **policies)
