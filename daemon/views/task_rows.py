"""The rows of tasks in every state, as commands and pages show them; read one by one."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from datetime import UTC, datetime
from struct import error as StructError  # noqa: N812 (an exception)
from typing import Any, NamedTuple

from persistent import Persistent
from transaction.interfaces import TransientError
from ZODB.Connection import Connection
from ZODB.utils import u64

from scheduler import (
    Client,
    SchedulerModule,
    nowutc,
)
from scheduler.inbox.claims import running_list
from scheduler.inbox.quarantine import QuarantineEntry, is_quarantined, quarantine_of
from scheduler.inbox.signals import known_signals
from scheduler.queue import BLOCKED_DUE, NEVER_DUE
from scheduler.shelves.ended_index import TaskIndex
from scheduler.shelves.flow_graph import PENDING
from scheduler.shelves.shelved import Shelved
from scheduler.states import STATES as STATES
from scheduler.states import WORDS as WORDS
from scheduler.store.missing_class import reason_of, why_unusable
from scheduler.tasks import BaseTask, TaskOccurrence
from scheduler.tasks.attempt import moment
from scheduler.tasks.handle import StepHandle
from scheduler.tasks.life import UNTIL_SIGNAL
from scheduler.tasks.naming import (
    arguments_of,
    class_name,
    dotted,
    name_of,
    title,
    unread_name_of,
)

QUARANTINED = "quarantined"


class Row(NamedTuple):
    """One task or occurrence: its state, the date of that state, and the reason."""

    id: int
    occurrence: int | None
    """The number of the run, for a run of a task that goes on."""

    state: str
    """One of STATES."""

    date: datetime | None
    """When it is due, was given to a worker, or ended; None for what has no date."""

    kind: str
    """The full name of its class, or of the function that it calls."""

    arguments: str | None = None
    """The arguments of a call, shortened; None for a task of a class."""

    tries: int = 0
    reason: str = ""
    """Why it has not finished."""

    signal: str = ""
    """The signal that it waits for."""

    queue: str = ""
    """The named queue that it waits in."""

    @property
    def situation(self) -> str:
        """Its state, with the signal that it waits for."""
        return f"{self.state} for signal {self.signal}" if self.signal else self.state

    @property
    def name(self) -> str:
        """The number of the task, and behind a colon that of its occurrence, if it is one."""
        return str(self.id) if self.occurrence is None else f"{self.id}:{self.occurrence}"

    @property
    def title(self) -> str:
        """The name of its class without the module, or its function's name with arguments."""
        return title(self.kind, self.arguments)

    @property
    def full_title(self) -> str:
        """The full name of its class, or its function's name with arguments."""
        return self.kind if self.arguments is None else self.title

    def is_of(self, kind: str) -> bool:
        """Say whether *kind* names its class or function, with or without the module."""
        return dotted(kind) in (self.kind, self.kind.rpartition(".")[2])


def row_of(task: Any, state: str, date: datetime | None, **facts: Any) -> Row:
    """Return the row of *task*, which is loaded only if it is a call."""
    name, arguments = name_of(task), arguments_of(task)
    return Row(_number(task), None, state, date, name, arguments, **facts)


def found_row(found: Shelved) -> Row:
    """Return the row of what a search has *found*, with the reason if it cannot be read."""
    state, date = found.state, found.date
    if state == QUARANTINED:
        return _quarantined_row(QuarantineEntry(found.task, found.reason, date or nowutc()))
    number = found.occurrence
    try:
        attempts = found.element.getAttempts()
        tries, why = (attempts[-1].number, attempts[-1].message) if attempts else (0, "")
        number = None if number is None else number.getId()
    except TransientError:
        raise
    except Exception as error:  # noqa: BLE001 (whatever its state raises when it is loaded)
        tries, why = 0, f"cannot be read: {reason_of(error)}"
    if state in ("waiting", "paused"):
        return _with_signal(row_of(found.task, state, date, tries=tries, reason=why), found)
    return row_of(found.task, state, date, tries=tries, reason=why)._replace(occurrence=number)


def _with_signal(row: Row, found: Shelved) -> Row:
    signal = known_signals(found.task._p_jar).name(row.id) or ""
    date = None if row.date is not None and row.date.timestamp() == UNTIL_SIGNAL else row.date
    return row._replace(date=date, signal=signal, queue=found.queue or "")


def one_row(connection: Connection, number: int) -> Row | None:
    """Return the row of task *number*; None for an unknown one."""
    try:
        aside = quarantine_of(connection).of(number)
        if aside is not None:
            return _quarantined_row(aside)
        task = Client(connection).getTask(number)
    except (KeyError, StructError):
        return None
    position = (), task
    try:
        return found_row(Shelved(*position, word(task), _date_of(task)))
    except TransientError:
        raise
    except Exception:  # noqa: BLE001 (whatever its state raises when it is loaded)
        return found_row(Shelved(*position, None, None))


def _date_of(task: BaseTask) -> datetime | None:
    state = word(task)
    if state == "running":
        claim = running_list(task._p_jar).claim(task.getId() or 0)
        return None if claim is None else moment(claim.since)
    return task.getDueOn() if state in ("waiting", "spooled") else task.getEndedOn()


def rows(module: SchedulerModule, state: str | None = None) -> Iterator[Row]:
    """Yield a row for each task, or for each task in *state*."""
    shelves = (
        (("running",), _running),
        (("spooled",), _spooled),
        (("waiting", "paused", "blocked"), _waiting),
        (("failed", "terminated", "aborted"), _failed),
        ((QUARANTINED,), quarantined),
        (("finished",), _finished),
    )
    for states, read in shelves:
        if state is None or state in states:
            yield from (row for row in read(module) if state in (None, row.state))


def dead_letters(module: SchedulerModule) -> Iterator[Row]:
    """Return the tasks that have failed or cannot be loaded, newest first."""
    aside = sorted(quarantined(module), key=_date, reverse=True)
    return heapq.merge(_failed(module), aside, key=_date, reverse=True)


def quarantined(module: SchedulerModule) -> Iterator[Row]:
    """Return the tasks that could not be loaded."""
    return map(_quarantined_row, module.aside())


def _quarantined_row(aside: QuarantineEntry) -> Row:
    name = unread_name_of(aside.obj)
    arguments = None if name == class_name(aside.obj) else "..."
    return Row(aside.number, None, QUARANTINED, aside.since, name, arguments, reason=aside.reason)


def word(task: BaseTask) -> str:
    """Return the state of *task* as one of STATES; "pending" before its turn, or "gone"."""
    if is_quarantined(task):
        return QUARANTINED
    if task.isBlocked():
        return "blocked"
    without = "gone" if StepHandle(task).group is None else PENDING
    return "paused" if task.isPaused() else WORDS.get(task.getStatus(), without)


def shown(obj: Any) -> str:
    """Return *obj* as a text: its class and number where it cannot be read."""
    if not isinstance(obj, Persistent) or isinstance(obj, BaseTask):
        return str(obj)
    return f"[{type(obj).__name__}:{_number(obj)}]"


def _number(obj: Any) -> int:
    oid = getattr(obj, "_p_oid", None)
    return 0 if oid is None else u64(oid)


def _running(module: SchedulerModule) -> Iterator[Row]:
    for claim in module.running.claims():
        since = datetime.fromtimestamp(claim.since, UTC)
        yield row_of(module.running.task(claim.tid), "running", since)._replace(id=claim.tid)


def _spooled(module: SchedulerModule) -> Iterator[Row]:
    for op, obj in module.getSpool():
        if op == "add":
            yield row_of(obj, "spooled", None)


def _waiting(module: SchedulerModule) -> Iterator[Row]:
    signals = known_signals(module._p_jar)
    for due, task in module.queues:
        signal = signals.name(_number(task)) or ""
        if due >= int(BLOCKED_DUE):
            state = "paused" if due >= int(NEVER_DUE) else "blocked"
            yield row_of(task, state, None, signal=signal)
        else:
            date = None if due == UNTIL_SIGNAL else datetime.fromtimestamp(due, UTC)
            yield row_of(task, "waiting", date, signal=signal)


def _failed(module: SchedulerModule) -> Iterator[Row]:
    return _ended(module.getFailedIndex(), "failed")


def _finished(module: SchedulerModule) -> Iterator[Row]:
    return _ended(module.getFinishedIndex(), "finished")


def _ended(index: TaskIndex, state: str) -> Iterator[Row]:
    for second, element in index.newest():
        date = datetime.fromtimestamp(second, UTC)
        try:
            yield _ended_row(element, date)
        except TransientError:
            raise
        except Exception as error:  # noqa: BLE001 (whatever its state raises when it is loaded)
            why = f"cannot be read: {reason_of(error)}"
            yield row_of(element, state, date, reason=why)


def _ended_row(element: Any, date: datetime) -> Row:
    if not isinstance(element, BaseTask | TaskOccurrence):
        raise TypeError(why_unusable(element))
    attempts = element.getAttempts()
    tries, reason = (attempts[-1].number, attempts[-1].message) if attempts else (0, "")
    state = WORDS[element.getStatus()]
    if state != "finished" and not reason:
        reason = "no reason is on record"
    if isinstance(element, BaseTask):
        return row_of(element, state, date, tries=tries, reason=reason)
    row = row_of(element.getTask(), state, date, tries=tries, reason=reason)
    return row._replace(occurrence=element.getId())


def _date(row: Row) -> datetime:
    return row.date or datetime.min.replace(tzinfo=UTC)


class Conflict(NamedTuple):
    """An object over which tasks conflicted, as commands and pages show it."""

    oid: str
    kind: str
    tasks: list[str]
    times: int
    last: datetime
    serialized: bool


def conflicts(module: SchedulerModule) -> list[Conflict]:
    """Return the conflicts of tasks within a day, newest first."""
    serialized = set(module.conflicts.serialized(nowutc().timestamp()).values())
    return [
        Conflict(
            f"0x{oid.hex().lstrip('0')}",
            conflict.class_name,
            list(conflict.kinds),
            conflict.times,
            moment(conflict.last),
            oid in serialized,
        )
        for oid, conflict in module.conflicts.newest()
    ]
