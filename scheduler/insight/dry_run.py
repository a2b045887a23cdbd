"""The dry run: an attempt on an overlay, and the changes and side effects it would have had."""

from __future__ import annotations

import pdb
import secrets
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple

from ZODB import DB
from ZODB.Connection import Connection
from ZODB.POSException import POSKeyError
from ZODB.utils import p64, u64

from scheduler.clock import TimeSource, timed_by
from scheduler.errors import NoHistory
from scheduler.inbox.claims import Claim
from scheduler.inbox.spool import ADD, spool_of
from scheduler.insight.commit_log import bookkeeping
from scheduler.insight.state_diff import AttributeChange, Describer
from scheduler.runtime.context import AttemptContext, AttemptReport, current_run, set_current_run
from scheduler.runtime.hook_registry import REGISTRY
from scheduler.runtime.side_effects import HeldEffect, hold_back
from scheduler.store import using
from scheduler.store.overlay import overlay
from scheduler.store.read_view import read_view
from scheduler.tasks.attempt import Attempt
from scheduler.tasks.base import BaseTask
from scheduler.tasks.handle import TaskHandle
from scheduler.tasks.mail import MailDelivery
from scheduler.tasks.naming import title_of
from scheduler.worker.transaction_guard import Guard, Unclean


class DryRun(NamedTuple):
    """The changes and side effects of an attempt, none of which took place."""

    changes: list[AttributeChange]
    """The objects that it would have changed or made, without the task itself."""
    states: dict[int, bytes]
    """Their states, as they would have been stored."""
    made: set[int]
    """The numbers of those that did not exist before."""
    enqueued: list[str]
    """The tasks that it would have enqueued, except mail."""
    held: list[HeldEffect]
    """The side effects that it would have had outside the database."""
    result: Any
    error: BaseException | None
    """The error of the attempt, which then would have changed nothing."""


def try_out(
    database: DB, number: int, attempt: Attempt | None = None, is_debugged: bool = False
) -> DryRun:
    """Run task *number* on an overlay of *database*, which itself is not changed.

    It sees the present state; or with an *attempt* of the past the snapshot of that one, with the
    clock and the numbers of `getRandom` as they were. With *is_debugged* it runs under the debugger
    of the terminal. Raises KeyError for an unknown task, NoHistory if the past is packed away.
    """
    with _view(database, attempt) as base, overlay(base) as tried, hold_back() as held:
        connection = tried.open()
        guard = Guard(connection)
        try:
            guard.begin()
            with using(connection), _time_of(attempt):
                known = _pending(connection)
                task = _find(connection, number, attempt)
                with _context_of(task, number, attempt), REGISTRY.around(task):
                    result, error = _run(guard, task, is_debugged)
                enqueued = [] if error else _enqueued(connection, known)
                guard.commit()
        finally:
            guard.abort()
            guard.release()
            connection.close()
        states = _written(tried, number)
        before = {key: _stored(tried, key) for key in states}
        made = {key for key, state in before.items() if not state}
        changes = _changes(tried, before, states, made)
        return DryRun(changes, states, made, enqueued, held, result, error)


def _view(database: DB, attempt: Attempt | None) -> AbstractContextManager[Connection]:
    if attempt is not None and not attempt.snapshot:
        raise NoHistory("what this attempt saw was not recorded: it was ended without its worker")
    if attempt is not None and not database.supportsUndo():
        raise NoHistory(
            f"the database {database.getName()} keeps no history: what an attempt saw is gone"
        )
    return read_view(database, None if attempt is None else attempt.snapshot)


class _Shifted(TimeSource):
    """A clock that goes on from *start* when it is made."""

    def __init__(self, start: datetime) -> None:
        self._shift = start - TimeSource().getCurrentTime()

    def getCurrentTime(self) -> datetime:
        return super().getCurrentTime() + self._shift


@contextmanager
def _time_of(attempt: Attempt | None) -> Iterator[None]:
    if attempt is None:
        yield
        return
    with timed_by(_Shifted(attempt.started)):
        yield


@contextmanager
def _context_of(task: BaseTask, number: int, attempt: Attempt | None) -> Iterator[None]:
    # With an attempt, its own random numbers; without, those of any run.
    snapshot = secrets.randbits(63) if attempt is None else attempt.snapshot
    outer = current_run()
    run = AttemptContext(Claim(number, 0, 0), None, _ignored, snapshot, task=task)
    set_current_run(run)
    try:
        yield
    finally:
        run.close()
        set_current_run(outer)


def _ignored(report: AttemptReport) -> None:
    """Tell nobody how far a dry run has come."""


def _find(connection: Connection, number: int, attempt: Attempt | None) -> BaseTask:
    try:
        task = connection.get(p64(number))
    except POSKeyError:
        if attempt is None:
            raise KeyError(number) from None
        raise NoHistory("what this attempt saw has been packed away since") from None
    if not isinstance(task, BaseTask):
        raise KeyError(number)
    return task


def _run(guard: Guard, task: BaseTask, is_debugged: bool) -> tuple[Any, BaseException | None]:
    try:
        work = partial(pdb.Pdb().runcall, task.run) if is_debugged else TaskHandle(task).work
        if type(task).prepare is not BaseTask.prepare:
            guard.call(task.prepare, guard.start())
        return guard.call(work, guard.start()), None
    except (Exception, SystemExit) as error:
        if isinstance(error, POSKeyError):
            raise NoHistory("what this attempt saw has been packed away since") from error
        if is_debugged:
            pdb.post_mortem(error.__traceback__)
        guard.abort()
        guard.begin()
        return None, error.problem if isinstance(error, Unclean) else error


def _pending(connection: Connection) -> set[bytes]:
    return {obj._p_oid for op, obj in spool_of(connection) if op == ADD}


def _enqueued(connection: Connection, known: set[bytes]) -> list[str]:
    tasks = [obj for op, obj in spool_of(connection) if op == ADD and obj._p_oid not in known]
    for task in tasks:
        if isinstance(task, MailDelivery):
            task.run()  # held back, and so listed
    return [
        f"{title_of(task)} due {task.getDueOn():%Y-%m-%d %H:%M:%S}"
        for task in tasks
        if not isinstance(task, MailDelivery)
    ]


def _written(tried: DB, number: int) -> dict[int, bytes]:
    units = tried.storage.changes.iterator()
    states = {u64(record.oid): record.data for unit in units for record in unit}
    inside = bookkeeping(states) | {number}
    return {key: state for key, state in states.items() if key not in inside}


def _changes(
    tried: DB, before: dict[int, bytes], after: dict[int, bytes], made: set[int]
) -> list[AttributeChange]:
    with read_view(tried) as connection:
        describer = Describer(connection, made)
        changes = [describer.change(key, before[key], state) for key, state in after.items()]
    return [change for change in changes if change.differences or change.number is None]


def _stored(tried: DB, number: int) -> bytes:
    try:
        data, _ = tried.storage.base.load(p64(number))
    except POSKeyError:
        return b""
    return bytes(data)
