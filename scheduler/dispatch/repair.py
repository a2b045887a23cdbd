"""Repair: shelves that cannot be read are made anew, from what the tasks say of themselves."""

from __future__ import annotations

import logging
from collections import Counter
from functools import partial
from typing import Any

from BTrees.LLBTree import LLTreeSet
from BTrees.LOBTree import LOBTree
from persistent import Persistent
from ZODB.broken import PersistentBroken
from ZODB.Connection import Connection
from ZODB.utils import p64

from scheduler.clock import nowutc, stamp
from scheduler.dispatch.steps import Steps
from scheduler.dispatch.tick import Tick
from scheduler.executors import Lost
from scheduler.inbox import bindings, claims, quarantine, signals, spool
from scheduler.queue import PersistentWaitingQueue
from scheduler.shelves import declared_schedules, followers, module
from scheduler.shelves.conflict_stats import ConflictStats
from scheduler.shelves.damage import fault_of, own_fault_of
from scheduler.shelves.ended_index import TaskIndex
from scheduler.shelves.module import SchedulerModule
from scheduler.shelves.named_queues import NamedQueues
from scheduler.shelves.unique_keys import UniqueKeys
from scheduler.states import (
    BEFORE_RUN,
    ENDED,
    TASK_STATUS_FINISHED,
    TASK_STATUS_NONE,
    TASK_STATUS_QUEUED,
)
from scheduler.store import Schema
from scheduler.store.missing_class import reason_of, why_unusable
from scheduler.store.overwrite import overwrite
from scheduler.store.stored_objects import stored_objects
from scheduler.tasks.attempt import moment
from scheduler.tasks.base import BaseTask
from scheduler.tasks.bound import FollowingTask
from scheduler.tasks.composite import Composite, Step
from scheduler.tasks.handle import FollowingHandle, StepHandle, TaskHandle
from scheduler.tasks.occurrence import TaskOccurrence
from scheduler.tasks.recurring import RecurringTask

log = logging.getLogger(__name__)

RUNNING, QUARANTINE, BINDINGS, SPOOL, DECLARED, SIGNALS, FOLLOWERS = (
    "the running list",
    "the quarantine",
    "the bindings",
    "the spool",
    "the declared schedules",
    "the signals",
    "the followers",
)
_ROOTS: tuple[tuple[str, Schema[Any], type[Persistent]], ...] = (
    (RUNNING, claims.SCHEMA, claims.RunningList),
    (QUARANTINE, quarantine.SCHEMA, quarantine.Quarantine),
    (BINDINGS, bindings.SCHEMA, bindings.Bindings),
    (SIGNALS, signals.SCHEMA, signals.Signals),
    (FOLLOWERS, followers.SCHEMA, followers.Followers),
    (DECLARED, declared_schedules.SCHEMA, declared_schedules.DeclaredSchedules),
)
QUEUE, NAMED, FAILED, FINISHED, KEYS, CONFLICTS, LEAVING, POSTPONED = (
    "the queue",
    "the named queues",
    "the failed index",
    "the finished index",
    "the unique keys",
    "the conflict statistics",
    "the list of tasks to be deleted",
    "the postponed instructions",
)
# The parts of the module: the attribute of each, and its class.
_PARTS: dict[str, tuple[str, type[Persistent]]] = {
    QUEUE: ("_waiting", PersistentWaitingQueue),
    NAMED: ("backlog", NamedQueues),
    FAILED: ("_failed", TaskIndex),
    FINISHED: ("_finished", TaskIndex),
    KEYS: ("unique", UniqueKeys),
    CONFLICTS: ("conflicts", ConflictStats),
    LEAVING: ("leaving", LLTreeSet),
    POSTPONED: ("_postponed", LOBTree),
}
# The parts that hold tasks which have not ended.
_AT_WORK = frozenset({QUEUE, NAMED, RUNNING, QUARANTINE, SPOOL})
# Claims that may have been given out beyond the last one that a task remembers.
_CLAIMS_IN_FLIGHT = 1_000_000

CLAIM_LOST = "the scheduler's own data was damaged"
UNBOUND = "its binding was lost: retry it if it is still to follow its object, or delete it"


class Repair:
    """Makes anew what cannot be read of the scheduler's own data, in an open transaction.

    A task whose place is lost comes back to its queue or its index, by its own state; one that
    cannot be read is put in quarantine. Nobody must be at work on tasks.
    """

    def __init__(self, connection: Connection, max_tries: int) -> None:
        self._connection = connection
        self._max_tries = max_tries
        self._fresh: dict[str, str] = {}  # name of a part -> why it was made anew
        self._count: Counter[str] = Counter()
        self._last_claim = 0
        self._followers: list[Step] = []

    def carry_out(self) -> str:
        """Return what was repaired, in one line; empty if nothing was damaged."""
        self._renew_roots()
        self._renew_parts()
        self._mend_spool()
        if not self._fresh:
            return ""
        self._module = SchedulerModule.getDBInstance(self._connection)
        self._tick = Tick(self._module)
        self._steps = Steps(self._connection, is_careful=True)
        if RUNNING in self._fresh:
            self._module.backlog.free_all()
        self._shelved = self._on_shelves()
        composites = self._place_all()
        self._module.running.go_on_after(self._last_claim + _CLAIMS_IN_FLIGHT)
        self._take_back_claims(composites)
        for step in self._followers:
            self._tick.flows.look_after(step)
        return self._summary()

    # Empty shelves in the place of unreadable ones

    def _renew_roots(self) -> None:
        for name, schema, kind in _ROOTS:
            if not schema.exists(self._connection):
                continue
            part = schema.get(self._connection)
            fault = fault_of(part)
            if fault:
                if name == RUNNING and not own_fault_of(part):
                    self._last_claim = part.last_number
                self._renew(name, part, kind(), fault)

    def _renew_parts(self) -> None:
        stored = module.SCHEMA.get(self._connection)
        fault = own_fault_of(stored)
        if fault:
            self._renew("the module", stored, SchedulerModule(), fault)
            self._fresh.update(dict.fromkeys(_PARTS, fault))
            return
        for name, (attribute, kind) in _PARTS.items():
            part = getattr(module.SCHEMA.get(self._connection), attribute)
            fault = fault_of(part)
            if fault:
                self._renew(name, part, _like(part, kind), fault)

    def _mend_spool(self) -> None:
        stored = spool.SCHEMA.get(self._connection)
        fault = fault_of(stored)
        if not fault:
            return
        self._fresh[SPOOL] = fault
        if own_fault_of(stored) or not stored.mend(_is_sound, _is_itself_sound):
            overwrite(stored, spool.Spool())

    def _renew(self, name: str, part: Persistent, fresh: Persistent, fault: str) -> None:
        overwrite(part, fresh)
        self._fresh[name] = fault

    # The places of the tasks

    def _on_shelves(self) -> set[bytes]:
        own = self._module
        shelves = (
            (task for _, task in own.queues),
            own.getFailedIndex(),
            own.getFinishedIndex(),
            (aside.obj for aside in own.aside()),
            (obj for op, obj in own.getSpool() if op == spool.ADD),
        )
        found = {obj._p_oid for shelf in shelves for obj in shelf if isinstance(obj, Persistent)}
        return found.union(p64(claim.tid) for claim in own.running.claims())

    def _place_all(self) -> list[Composite]:
        kinds = (BaseTask, TaskOccurrence, Composite, PersistentBroken)
        composites = []
        for obj in stored_objects(self._connection, kinds):
            if isinstance(obj, Composite):
                composites.append(obj)
                self._take_up(obj)
            else:
                self._steps.take(partial(self._place, obj), partial(self._lose, obj))
        return composites

    def _take_up(self, step: Step) -> None:
        """Note again which steps *step* waits for, if it waits for any."""
        if StepHandle(step).prerequisites is not None:
            self._tick.flows.take_up(step)
            self._followers.append(step)

    def _place(self, obj: Any) -> None:
        if isinstance(obj, PersistentBroken):
            self._place_broken(obj)
        elif isinstance(obj, TaskOccurrence):
            self._place_ended(obj, obj.getStatus())
        else:
            self._place_task(obj)

    def _place_task(self, task: BaseTask) -> None:
        handle = TaskHandle(task)
        self._last_claim = max(self._last_claim, handle.settled)
        is_at_work = handle.status in tuple(BEFORE_RUN)
        if is_at_work or handle.status in tuple(ENDED):
            self._take_up(task)
        if KEYS in self._fresh and (is_at_work or handle.status in tuple(ENDED)):
            self._module.unique.admit(task, nowutc().timestamp(), _leave)
        if BINDINGS in self._fresh and isinstance(task, FollowingTask):
            self._bind(task)
        if SIGNALS in self._fresh and handle.status == TASK_STATUS_QUEUED and handle.awaited:
            signals.signals_of(self._connection).wait(task.getId() or 0, handle.awaited)
        if is_at_work and _AT_WORK & self._fresh.keys() and task._p_oid not in self._shelved:
            self._queue(task)
        elif handle.status in tuple(ENDED) and handle.ended_element() is task:
            self._place_ended(task, handle.status)

    def _queue(self, task: BaseTask) -> None:
        if isinstance(task, RecurringTask) and RUNNING in self._fresh:
            last = TaskHandle(
                task
            ).ended_element()  # of a run that is committed, and was not settled
            if isinstance(last, TaskOccurrence) and last._p_oid not in self._shelved:
                self._shelve(last, last.getStatus())
        if task.getId() in self._module.leaving:
            self._module.stop_leaving(task.getId() or 0)
            TaskHandle(task).forget()
        elif TaskHandle(task).status == TASK_STATUS_QUEUED:
            self._module.queues.add(task, stamp(moment(TaskHandle(task).queued_for)))
        else:
            self._module.queue(task)
        self._count["back in their queues"] += 1

    def _place_ended(self, element: Any, status: int) -> None:
        index = FINISHED if status == TASK_STATUS_FINISHED else FAILED
        is_lost = index in self._fresh or (RUNNING in self._fresh and isinstance(element, BaseTask))
        if is_lost and element._p_oid not in self._shelved:
            self._shelve(element, status)

    def _shelve(self, element: Any, status: int) -> None:
        self._module.shelve(element, element.getEndedOn() or nowutc(), status)
        self._count["back in their indexes"] += 1

    def _place_broken(self, obj: Any) -> None:
        obj._p_activate()
        state = obj.__Broken_state__
        if obj._p_oid in self._shelved or not isinstance(state, dict) or "_created" not in state:
            return
        status = state.get("_status", TASK_STATUS_NONE)
        if status in tuple(BEFORE_RUN) and _AT_WORK & self._fresh.keys():
            self._set_aside(obj, why_unusable(obj))
        elif status in tuple(ENDED):
            index = FINISHED if status == TASK_STATUS_FINISHED else FAILED
            if index in self._fresh:
                self._module.shelve(obj, moment(state.get("_ended") or 0), status)

    def _bind(self, task: FollowingTask) -> None:
        if TaskHandle(task).status != TASK_STATUS_NONE:
            bindings.bindings_of(self._connection).add(task, FollowingHandle(task).subject)
        elif FollowingHandle(task).date is None:
            # It rests, or was deleted: its own state does not tell.
            self._set_aside(task, UNBOUND)

    def _lose(self, obj: Any, error: Exception) -> None:
        is_task = isinstance(obj, BaseTask) and obj._p_oid not in self._shelved
        if is_task and _AT_WORK & self._fresh.keys():
            self._set_aside(obj, reason_of(error))

    def _set_aside(self, obj: Any, reason: str) -> None:
        self._module.set_aside(obj, reason)
        self._count["dead letters"] += 1

    # Claims of workers

    def _take_back_claims(self, composites: list[Composite]) -> None:
        for claim in self._module.running.claims():
            self._tick.settlement.rescue(
                Lost(claim, TASK_STATUS_QUEUED, CLAIM_LOST), self._max_tries
            )
        if RUNNING in self._fresh:
            for tid in self._module.postponed():
                self._tick.settlement.perform_postponed(tid)
            for composite in composites:
                self._tick.instructions.catch_up_flow(composite)

    def _summary(self) -> str:
        faults = "; ".join(dict.fromkeys(self._fresh.values()))
        counts = ", ".join(f"{number} {what}" for what, number in sorted(self._count.items()))
        parts = ", ".join(self._fresh)
        return f"{faults}. Made anew: {parts}. Tasks: {counts or 'none had lost its place'}"


def _like(part: Any, kind: type[Persistent]) -> Persistent:
    """Return a fresh part; of named queues, with the limits that can be read."""
    fresh = kind()
    if isinstance(fresh, NamedQueues) and not own_fault_of(part):
        limits = part.limits()
        if not fault_of(limits):
            fresh.take_limits(limits)
    return fresh


def _is_sound(part: Persistent) -> bool:
    return not fault_of(part)


def _is_itself_sound(part: Persistent) -> bool:
    return not own_fault_of(part)


def _leave(holder: BaseTask) -> None:
    """Leave *holder* where it is."""
