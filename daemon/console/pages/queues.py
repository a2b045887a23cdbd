"""The named queues: their depth, age and limits, and what is done with them."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any, NamedTuple

from werkzeug.exceptions import NotFound

from daemon.console.page import Action, ConsolePage, Facts
from daemon.console.visit import Visit
from daemon.errors import FieldFault
from scheduler import Client, SchedulerModule, nowutc
from scheduler.tasks.attempt import moment

PERIOD = "1"


class QueueRow(NamedTuple):
    """A queue: how many of its tasks wait and run, and its limits."""

    name: str
    """Empty for the ordinary queue, which has no limits."""

    waiting: int
    running: int
    oldest: datetime | None
    """The date of the first task that waits, where that has passed."""

    is_paused: bool
    at_once: int | None = None
    rate: int | None = None
    period: float = 1.0


def queue_rows(visit: Visit) -> list[QueueRow]:
    """Return the ordinary queue, and the named ones."""
    client = Client(visit.connection)
    module = SchedulerModule.getDBInstance(visit.connection)
    named = [_row(client, module, name, facts) for name, facts in client.getQueues().items()]
    status = module.getStatus()
    ordinary = QueueRow(
        "",
        status["waiting"] - sum(row.waiting for row in named),
        status["running"] - sum(row.running for row in named),
        _past(module.getWaitingQueue().next_due()),
        client.isPaused(),
    )
    return [ordinary, *named]


def _row(client: Client, module: SchedulerModule, name: str, facts: dict[str, Any]) -> QueueRow:
    dues = [queue.next_due() for _, queue in module.backlog.named(name)]
    due = min((each for each in dues if each is not None), default=None)
    limits = (facts["atOnce"], facts["rate"], facts["period"])
    paused = client.isPaused(name)
    return QueueRow(name, facts["waiting"], facts["running"], _past(due), paused, *limits)


def _past(due: float | None) -> datetime | None:
    return moment(due) if due is not None and due <= nowutc().timestamp() else None


def _facts(visit: Visit) -> Facts:
    return {"rows": queue_rows(visit)}


def _one(visit: Visit) -> Facts:
    name = visit.arguments["name"]
    row = next((row for row in queue_rows(visit) if row.name == name), None)
    if row is None:
        raise NotFound(f"There is no queue {name!r}: it appears with its first task or limit")
    return {"row": row, "action": LIMIT}


def _pause(visit: Visit) -> str:
    Client(visit.connection).pause(visit.arguments["name"])
    return f"Queue {visit.arguments['name']} is paused: running tasks end, no other begins"


def _resume(visit: Visit) -> str:
    Client(visit.connection).resume(visit.arguments["name"])
    return f"Queue {visit.arguments['name']} goes on"


def _limit(visit: Visit) -> str:
    name = visit.arguments["name"]
    at_once, rate = _whole(visit, "at_once"), _whole(visit, "rate")
    period = _seconds(visit, "period")
    try:
        Client(visit.connection).limitQueue(name, at_once, rate, period)
    except ValueError as error:
        raise FieldFault("rate", str(error)) from None
    limits = [
        *([f"{at_once} at once"] if at_once is not None else []),
        *([f"{rate} in {period:g} s"] if rate is not None else []),
    ]
    return f"Queue {name}: {' and '.join(limits) or 'no limit'}"


def _whole(visit: Visit, field: str) -> int | None:
    text = visit.form.get(field, "").strip()
    if not text:
        return None
    if not text.isdecimal() or not int(text):
        raise FieldFault(field, "Give a whole number from 1 on, or nothing for no limit")
    return int(text)


def _seconds(visit: Visit, field: str) -> float:
    try:
        seconds = float(visit.form.get(field, "").strip() or PERIOD)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise FieldFault(field, "Give a number of seconds above 0")
    return seconds


def _pause_all(visit: Visit) -> str:
    Client(visit.connection).pause()
    return "The scheduler is paused: running tasks end, no other begins"


def _resume_all(visit: Visit) -> str:
    Client(visit.connection).resume()
    return "The scheduler goes on"


PAGE = ConsolePage("/queues", "queues.html", _facts, label="Queues")
ONE = ConsolePage("/queues/<name:name>", "queue.html", _one)

PAUSE = Action("/queues/<name:name>/pause", _pause, ONE)
RESUME = Action("/queues/<name:name>/resume", _resume, ONE)
LIMIT = Action("/queues/<name:name>/limit", _limit, ONE)
PAUSE_ALL = Action("/queues/pause", _pause_all, PAGE)
RESUME_ALL = Action("/queues/resume", _resume_all, PAGE)
ACTIONS = (PAUSE, RESUME, LIMIT, PAUSE_ALL, RESUME_ALL)
