"""The schedules: their dates on a strip of the next day, and what is done with them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import NamedTuple

from werkzeug.exceptions import NotFound
from ZODB.Connection import Connection

from daemon.console.page import Action, ConsolePage, Done, Facts
from daemon.console.visit import Visit
from daemon.errors import DaemonException, FieldFault
from daemon.views.schedule_rows import ScheduleRow, schedule_row, schedule_rows
from daemon.views.task_detail import find_task
from scheduler import Client, SchedulerModule, nowutc
from scheduler.schedules.cron import Cron
from scheduler.schedules.rule_text import schedule_from_text
from scheduler.schedules.schedule import Schedule, zone_named
from scheduler.tasks import RecurringTask

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
WIDTH = 480
"""The strip's units: three minutes each."""

DATES = WIDTH
UPCOMING = 12
LOOKED_AT = 10_000
"""How many waiting tasks are looked at for schedules."""

CRON, RULE = "cron", "rule"


class Strip(NamedTuple):
    """The dates of the next 24 hours on a line of WIDTH units, and the changes of clocks there."""

    marks: list[int]
    """Where dates are; several at the same place are one mark."""

    number: int
    """How many dates there are, up to DATES."""

    changes: list[tuple[int, str]]
    """Where clocks change, and how."""

    @property
    def is_cut(self) -> bool:
        """Whether there are more dates than were looked at."""
        return self.number >= DATES


def strip_of(schedule: Schedule, now: datetime) -> Strip:
    """Return the strip of *schedule* from *now* on."""
    dates = list(islice(schedule.between(now, now + DAY), DATES))
    marks = sorted({_place(date, now) for date in dates})
    return Strip(marks, len(dates), list(_clock_changes(zone_of(schedule), now)))


def zone_of(schedule: Schedule) -> str:
    """Return the name of the zone whose calendar *schedule* follows."""
    return str(getattr(schedule, "zone", "UTC"))


def _place(date: datetime, now: datetime) -> int:
    return min(WIDTH - 1, int((date - now) / DAY * WIDTH))


def _clock_changes(zone: str, now: datetime) -> Iterator[tuple[int, str]]:
    place = zone_named(zone)
    for hour in range(24):
        begin, end = now + hour * HOUR, now + (hour + 1) * HOUR
        before, after = begin.astimezone(place).utcoffset(), end.astimezone(place).utcoffset()
        if before is not None and after is not None and before != after:
            way = "forward" if after > before else "back"
            yield _place(end, now), f"clocks in {zone} go {way} by {abs(after - before)}"


class Upcoming(NamedTuple):
    """A date to come, and how the clocks of the schedule's zone show it."""

    date: datetime
    local: str


def _local(date: datetime, zone: str) -> str:
    return f"{date.astimezone(zone_named(zone)):%a %Y-%m-%d %H:%M:%S %Z}"


def _facts(visit: Visit) -> Facts:
    client = Client(visit.connection)
    module = SchedulerModule.getDBInstance(visit.connection)
    now = nowutc()
    found = schedule_rows(client, module, LOOKED_AT)
    return {
        "rows": [(row, _strip(visit.connection, row, now)) for row in found],
        "width": WIDTH,
        "hours": _hours(now),
        "is_cut": module.getStatus()["waiting"] > LOOKED_AT,
        "looked_at": LOOKED_AT,
    }


def _strip(connection: Connection, row: ScheduleRow, now: datetime) -> Strip | None:
    if row.next is None:
        return None
    return strip_of(_schedule_task(connection, row.id).getSchedule(), now)


def _hours(now: datetime) -> list[tuple[int, datetime]]:
    """Return where each sixth hour of the next day stands on a strip."""
    first = now.replace(minute=0, second=0, microsecond=0) + HOUR
    each = (first + number * HOUR for number in range(24))
    return [(_place(date, now), date) for date in each if date.astimezone(UTC).hour % 6 == 0]


def _one(visit: Visit) -> Facts:
    task = _task(visit)
    schedule = task.getSchedule()
    zone = zone_of(schedule)
    now = nowutc()
    dates = islice(_dates(schedule, now), UPCOMING)
    return {
        "row": schedule_row(task, Client(visit.connection)),
        "task": task,
        "zone": zone,
        "strip": strip_of(schedule, now),
        "width": WIDTH,
        "hours": _hours(now),
        "upcoming": [Upcoming(date, _local(date, zone)) for date in dates],
        "form_of": _form_of(schedule),
        "actions": {"run": RUN, "change": CHANGE},
    }


def _dates(schedule: Schedule, now: datetime) -> Iterator[datetime]:
    date = schedule.after(now)
    while date is not None:
        yield date
        date = schedule.after(date)


def _form_of(schedule: Schedule) -> dict[str, str]:
    if isinstance(schedule, Cron):
        return {"kind": CRON, "text": schedule.expression, "zone": schedule.zone}
    return {"kind": RULE, "text": "", "zone": zone_of(schedule)}


def _task(visit: Visit) -> RecurringTask:
    number = visit.arguments["number"]
    try:
        return _schedule_task(visit.connection, number)
    except DaemonException:
        raise NotFound(f"There is no schedule {number}: it may have been removed") from None


def _schedule_task(connection: Connection, number: int) -> RecurringTask:
    task = find_task(connection, number)
    if not isinstance(task, RecurringTask):
        raise DaemonException(f"task {number} has no schedule: it is run once")
    return task


def _run(visit: Visit) -> str:
    task = _task(visit)
    Client(visit.connection).moveTask(task, nowutc())
    return f"Schedule {visit.arguments['number']} is run now, and by its dates afterwards"


def _pause(visit: Visit) -> str:
    Client(visit.connection).pauseTask(_task(visit))
    return f"Schedule {visit.arguments['number']} is paused"


def _resume(visit: Visit) -> str:
    Client(visit.connection).resumeTask(_task(visit))
    return f"Schedule {visit.arguments['number']} goes on"


def _change(visit: Visit) -> str:
    task, form = _task(visit), visit.form
    schedule = _schedule_of(form.get("kind", ""), form.get("text", ""), form.get("zone", ""))
    Client(visit.connection).changeSchedule(task, schedule)
    return f"Schedule {visit.arguments['number']} is {schedule!r} from now on"


def _schedule_of(kind: str, text: str, zone: str) -> Schedule:
    try:
        zone_named(zone)
    except ValueError as error:
        raise FieldFault("zone", str(error)) from None
    try:
        made = Cron(text, zone) if kind == CRON else schedule_from_text(text, zone)
        first = made.after(nowutc())
    except ValueError as error:
        raise FieldFault("text", str(error)) from None
    if first is None:
        raise FieldFault("text", "This has no date to come")
    return made


def _remove(visit: Visit) -> Done:
    Client(visit.connection).dequeue(_task(visit))
    return Done(f"Schedule {visit.arguments['number']} is removed", "/schedules")


PAGE = ConsolePage("/schedules", "schedules.html", _facts, label="Schedules")
ONE = ConsolePage("/schedules/<int:number>", "schedule.html", _one)

RUN = Action("/schedules/<int:number>/run", _run, ONE)
PAUSE = Action("/schedules/<int:number>/pause", _pause, ONE)
RESUME = Action("/schedules/<int:number>/resume", _resume, ONE)
CHANGE = Action("/schedules/<int:number>/change", _change, ONE)
REMOVE = Action("/schedules/<int:number>/remove", _remove, ONE)
ACTIONS = (RUN, PAUSE, RESUME, CHANGE, REMOVE)
