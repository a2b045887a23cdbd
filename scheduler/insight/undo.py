"""Undo: takes back the changes of an attempt, unless later changes depend on them."""

from __future__ import annotations

from typing import Any, NamedTuple

from persistent import Persistent
from ZODB.Connection import Connection
from ZODB.utils import p64, u64

from scheduler.client import Client
from scheduler.clock import nowutc
from scheduler.errors import NoHistory, TaskInconsistentStatusException, UndoRefused
from scheduler.insight.commit_log import Commit, commits_of, task_commits
from scheduler.log.codec import Entry, Stored, entry_of
from scheduler.log.segment import SegmentPage
from scheduler.states import BEFORE_RUN
from scheduler.storage.internals import reader_of
from scheduler.store.stored_state import class_of
from scheduler.tasks.base import BaseTask
from scheduler.tasks.handle import TaskHandle


class Undone(NamedTuple):
    """The objects, tasks and log entries that an undo took back."""

    restored: list[Persistent]
    """Objects restored to their state before the attempt."""
    made: list[Persistent]
    """Objects that the attempt had made; nothing refers to them any more."""
    withdrawn: list[BaseTask]
    """Tasks that the attempt had enqueued, and that are dequeued."""
    entries: list[Entry]
    """Entries that its commit put into append logs: instructions and recorded changes."""


def undo(connection: Connection, task: BaseTask) -> Undone:
    """Take back the last commit of *task*, in the current transaction; the task is kept as undone.

    Raises UndoRefused if an object was changed again since, or a task that it enqueued has begun;
    TaskInconsistentStatusException if the task is undone already; NoHistory if the storage lacks
    the history; KeyError if it has no recorded attempt.
    """
    number = task.getId() or 0
    if task.isUndone():
        raise TaskInconsistentStatusException(f"{task!r} is undone already")
    commit, changed = _last_commit(connection, number)
    made = commit.made() & changed
    objects = {key: connection.get(p64(key)) for key in sorted(changed)}
    tasks = [objects[key] for key in made if isinstance(objects[key], BaseTask)]
    _refuse_what_is_in_the_way(commit, objects, tasks, number)
    restored = [objects[key] for key in sorted(changed - made)]
    for obj in restored:
        _restore(connection, commit, obj)
    client = Client(connection)
    for each in tasks:
        # A worker that has it already conflicts with this, and finds its time passed.
        each.expiryDate = nowutc()
        client.dequeue(each)
    TaskHandle(task).undo()
    others = [objects[key] for key in sorted(made) if objects[key] not in tasks]
    return Undone(restored, others, tasks, _entries(connection, commit))


def _last_commit(connection: Connection, number: int) -> tuple[Commit, set[int]]:
    for commit, signature in task_commits(connection, number):
        changed = commit.changed_by(signature)
        if changed is None:
            raise NoHistory(
                f"the last commit of task {number} is that of {len(commit.signatures)} tasks, and "
                "does not tell which of them changed what: they were too many objects"
            )
        return commit, changed
    raise KeyError(number)


def _refuse_what_is_in_the_way(
    commit: Commit, objects: dict[int, Any], tasks: list[BaseTask], number: int
) -> None:
    reasons = []
    for key, obj in objects.items():
        if obj in tasks:
            if obj.getStatus() not in BEFORE_RUN:
                reasons.append(f"task {key}, which it enqueued, has begun")
            continue
        obj._p_activate()
        if u64(obj._p_serial) != commit.tid:
            reasons += [_named(key, obj, later) for later in _later(obj, commit)]
        reasons += [
            f"task {each.task} changed {type(obj).__name__} {key} in the same commit"
            for each in commit.signatures
            if each.task != number and key in (each.changed or ())
        ]
    if reasons:
        raise UndoRefused(f"task {number} cannot be undone: " + "; ".join(reasons))


def _later(obj: Any, commit: Commit) -> list[Commit]:
    commits = commits_of(obj._p_jar, u64(obj._p_oid))
    return [each for each in commits if each.tid > commit.tid]


def _named(key: int, obj: Any, later: Commit) -> str:
    who = ", ".join(f"task {each.task}" for each in later.signatures) or later.description
    return (
        f"transaction {later.tid:016x} of {later.date:%Y-%m-%d %H:%M:%S} UTC "
        f"({who or 'not described'}) changed {type(obj).__name__} {key}"
    )


def _restore(connection: Connection, commit: Commit, obj: Any) -> None:
    before = commit.before(u64(obj._p_oid))
    if before is None:
        raise NoHistory(f"what {type(obj).__name__} {u64(obj._p_oid)} was before is packed away")
    obj.__setstate__(connection.oldstate(obj, before[1]))
    obj._p_changed = True


def _entries(connection: Connection, commit: Commit) -> list[Entry]:
    page = (SegmentPage.__module__, SegmentPage.__name__)
    pages = [number for number, state in commit.states.items() if class_of(state) == page]
    return [
        entry_of(found, connection)
        for number in pages
        for found in _added(connection, commit, number)
    ]


def _added(connection: Connection, commit: Commit, page: int) -> tuple[Stored, ...]:
    before, *_ = commit.before(page) or (b"",)
    return _held(connection, commit.states[page])[len(_held(connection, before)) :]


def _held(connection: Connection, state: bytes) -> tuple[Stored, ...]:
    held: tuple[Stored, ...] = reader_of(connection).getState(state)["entries"] if state else ()
    return held
