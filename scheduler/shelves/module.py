"""The module: the shelves that tasks stand on, and the one method that moves them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

from BTrees.LLBTree import LLTreeSet
from BTrees.LOBTree import LOBTree
from persistent import Persistent
from ZODB.Connection import Connection
from ZODB.POSException import POSKeyError
from ZODB.utils import p64, u64

from scheduler import states
from scheduler.clock import nowutc, stamp
from scheduler.errors import TaskInconsistentStatusException, TaskNotFoundException
from scheduler.inbox.claims import RunningList, running_list
from scheduler.inbox.quarantine import Quarantine, QuarantineEntry, quarantine_of
from scheduler.inbox.spool import ADD, Spool, spool_of
from scheduler.leadership.roster import roster_of
from scheduler.queue import BLOCKED_DUE, PersistentWaitingQueue
from scheduler.runtime.hook_registry import REGISTRY
from scheduler.shelves.conflict_stats import ConflictStats
from scheduler.shelves.ended_index import TaskIndex
from scheduler.shelves.followers import followers_of
from scheduler.shelves.named_queues import NamedQueues
from scheduler.shelves.queues import Queues
from scheduler.shelves.unique_keys import UniqueKeys
from scheduler.states import (
    TASK_STATUS_ABORTED,
    TASK_STATUS_FAILED,
    TASK_STATUS_FINISHED,
    TASK_STATUS_NONE,
    TASK_STATUS_QUEUED,
    TASK_STATUS_RUNNING,
    TASK_STATUS_SPOOLED,
    TASK_STATUS_TERMINATED,
)
from scheduler.storage.outage import is_transient
from scheduler.store import Schema, connection_of
from scheduler.store.missing_class import reason_of
from scheduler.tasks.base import BaseTask
from scheduler.tasks.composite import Step, number_of
from scheduler.tasks.handle import StepHandle, TaskHandle, note_end
from scheduler.tasks.hooks import AttemptEvent
from scheduler.tasks.naming import unread_name_of
from scheduler.tasks.occurrence import TaskOccurrence

log = logging.getLogger(__name__)


class SchedulerModule(Persistent):
    """The shelves of one database (reference 3.5): spool, waiting queue, running list, indexes.

    Clients write only the spool; all other shelves are written by the scheduler alone.
    A task stands on one shelf at a time, and the shelves keep it alive. Each shelf is an
    object of its own, so that working on one does not conflict with reading another.
    """

    is_paused = False
    """Whether no task is given to a worker until the scheduler is resumed."""

    def __init__(self) -> None:
        self._waiting = PersistentWaitingQueue()
        self._failed = TaskIndex()
        self._finished = TaskIndex()
        self.backlog = NamedQueues()
        self.unique = UniqueKeys()
        self.conflicts = ConflictStats()
        self.leaving = LLTreeSet()  # numbers of running tasks that are not to come back
        self._postponed = LOBTree()  # number of a running task -> instructions for afterwards

    @classmethod
    def getDBInstance(cls, connection: Connection | Persistent | None = None) -> SchedulerModule:
        """Return the module of the database; made on its first use.

        *connection* is a connection or an object stored in one; None stands for the current
        connection. Raises NoConnectionError.
        """
        connection = connection_of(connection)
        # Planted now, while there may be nothing that it would join.
        spool_of(connection)
        running_list(connection)
        quarantine_of(connection)
        followers_of(connection)
        return SCHEMA.get(connection)

    def getStatus(self) -> dict[str, Any]:
        """Return what there is: state, hostname, pid, and how many tasks stand on each shelf."""
        roster = roster_of(connection_of(self))
        return {
            "state": roster.is_taken(),
            "hostname": roster.hostname,
            "pid": roster.pid,
            "waiting": len(self.queues),
            "running": len(self.running),
            "spooled": len(self.getSpool()),
            "failed": len(self._failed) + len(self.quarantine),
            "finished": len(self._finished),
        }

    def moveTask(
        self,
        task: BaseTask,
        moveFrom: int,
        status: int,
        occurrence: Any = None,
        nocheck: bool = False,
    ) -> None:
        """Move *task* from the shelf of state *moveFrom* to that of *status*.

        With an *occurrence*, that is what arrives on the shelf. TASK_STATUS_NONE stands for
        no shelf at all. Raises TaskInconsistentStatusException unless *nocheck*, when the task
        is not in state *moveFrom* or the move is not a legal one.
        """
        if not nocheck:
            self._check(task, moveFrom, status)
        self.leave_shelf(task, moveFrom)
        if occurrence is None:
            TaskHandle(task).set_status(self._stored(status))
        self._arrive(occurrence if occurrence is not None else task, status)

    def removeRunningTask(self, task: BaseTask) -> None:
        """Take *task* off the running list; one that is not there is only logged."""
        if task.getStatus() != TASK_STATUS_RUNNING:
            log.warning("%r is not on the running list", task)
            return
        self._take_from_worker(task)
        TaskHandle(task).withdraw()

    def spool(self, op: str, obj: Any) -> bool:
        """Add the instruction (*op*, *obj*) to the spool; always True.

        Raises SchedulerUnknownOperationException for an operation there is not.
        """
        self.getSpool().put(op, obj)
        return True

    def getSpool(self) -> Spool:
        """Return the spool; iterating it gives `(op, obj)`."""
        return spool_of(connection_of(self))

    def clearSpool(self) -> int:
        """Drop all instructions that the scheduler has not taken up; return how many.

        A task that was to be added has no state then.
        """
        for op, obj in self.getSpool():
            if op == ADD:
                _forget_spooled(obj)
        return self.getSpool().clear()

    def getTaskById(self, tid: int) -> BaseTask:
        """Return the task with number *tid*; KeyError for an unknown number."""
        task = self._found(tid)
        if TaskHandle(task).status == TASK_STATUS_NONE:
            raise KeyError(tid)
        return task

    def find_task(self, tid: int) -> BaseTask:
        """Return the task with number *tid*, also a step of a flow before its turn; or KeyError."""
        task = self._found(tid)
        if TaskHandle(task).status == TASK_STATUS_NONE and StepHandle(task).group is None:
            raise KeyError(tid)
        return task

    def _found(self, tid: int) -> BaseTask:
        try:
            task = connection_of(self).get(p64(tid))
        except (POSKeyError, ValueError):
            raise KeyError(tid) from None
        if not isinstance(task, BaseTask):
            raise KeyError(tid)
        return task

    def getTaskIndex(self) -> Mapping[int, BaseTask]:
        """Return all tasks that stand on a shelf, by number."""
        return {task.getId() or 0: task for task in self._tasks()}

    def getWaitingQueue(self) -> PersistentWaitingQueue:
        """Return the tasks that wait for their time, in the ordinary queue."""
        return self._waiting

    def getRunningList(self) -> list[BaseTask]:
        """Return the tasks that are with a worker."""
        return list(self.running)

    def getFailedIndex(self) -> TaskIndex:
        """Return the tasks and occurrences that failed or were terminated."""
        return self._failed

    def getFinishedIndex(self) -> TaskIndex:
        """Return the tasks and occurrences that finished."""
        return self._finished

    @property
    def queues(self) -> Queues:
        """The queues in which tasks wait."""
        return Queues(self._p_jar, self._waiting, self.backlog, self.conflicts)

    @property
    def running(self) -> RunningList:
        """The running list with its claims."""
        return running_list(connection_of(self))

    @property
    def quarantine(self) -> Quarantine:
        """The objects that could not be read or carried out."""
        return quarantine_of(connection_of(self))

    # The methods below are for the scheduler, the only writer of the shelves.

    def queue(self, task: BaseTask) -> None:
        """Put *task*, which is on no shelf, in the waiting queue by its date.

        A task that has no date left ends TERMINATED; one that waits for others has none yet.
        """
        due = task.getDueOn()
        if self.holds(task):
            self.queues.add(task, BLOCKED_DUE)
        elif due is not None:
            self.queues.add(task, stamp(due))
        else:
            now = nowutc()
            TaskHandle(task).expire(now, "no date is left at which it might run")
            self.shelve(task, now, TASK_STATUS_TERMINATED)

    def take_from_index(self, task: BaseTask, status: int) -> None:
        """Take *task*, which has ended in state *status*, off its index, if it stands there."""
        if task.getEndedOn() is not None and TaskHandle(task).ended_element() is task:
            self.leave_shelf(task, status)

    def start_again(self, task: BaseTask, status: int) -> None:
        """Queue *task*, which has ended in state *status*, as if it had never been run.

        It is not due before now: what it has waited for since its own date was not a worker.
        """
        self.take_from_index(task, status)
        if status == TASK_STATUS_FINISHED:
            TaskHandle(task).begin_occurrence()
        task.reset()
        now = nowutc()
        due = max(task.getDueOn() or now, now)
        self.queues.add(task, BLOCKED_DUE if self.holds(task) else stamp(due))

    def holds(self, task: BaseTask) -> bool:
        """Say whether *task* is not to be given out: it waits for others, or will not be run."""
        if StepHandle(task).prerequisites is None:
            return False
        return followers_of(self._p_jar).holds(number_of(task))

    def forget_follower(self, step: Step) -> None:
        """Forget which steps *step* waits for, if it waits for any."""
        prerequisites = StepHandle(step).prerequisites
        if prerequisites is not None:
            numbers = map(number_of, prerequisites.steps())
            followers_of(self._p_jar).drop(number_of(step), numbers)

    def shelve(self, element: Any, ended: datetime, status: int) -> None:
        """Put an ended task or occurrence into the index that *status* belongs to."""
        index = self._finished if status == TASK_STATUS_FINISHED else self._failed
        index.add(ended, element)

    def set_aside(self, obj: Any, reason: str) -> None:
        """Keep in quarantine what cannot be read or carried out, with the reason."""
        self.quarantine.add(obj, reason)
        event = AttemptEvent.unread(u64(obj._p_oid), unread_name_of(obj), reason)
        REGISTRY.call_after_commit(self._p_jar, "on_dead_letter", event)

    def set_unread_aside(self, task: BaseTask, reason: str) -> None:
        """Put *task*, which cannot be read, in quarantine, from its queue; workers keep theirs."""
        if task._p_oid in self.quarantine or self.running.claim(u64(task._p_oid)) is not None:
            return
        self.queues.discard_unread(task)
        self.set_aside(task, reason)

    def aside(self) -> list[QuarantineEntry]:
        """Return what is in quarantine, by number."""
        return list(self.quarantine)

    def take_back(self, obj: Any) -> bool:
        """Remove *obj* from the quarantine; say whether it was there."""
        return self.quarantine.discard(obj)

    def admit(self, task: BaseTask, replace: Callable[[BaseTask], None]) -> bool:
        """Say whether *task* may go on to the queue: nobody else has its unique key.

        *replace* is called with a waiting task that is to make room.
        """
        return self.unique.admit(task, nowutc().timestamp(), replace)

    def postpone(self, tid: int, op: str, obj: Any) -> None:
        """Keep an instruction about the running task *tid* until it is back in the queue."""
        self._postponed[tid] = (*self._postponed.get(tid, ()), (op, obj))

    def postponed(self) -> list[int]:
        """Return the numbers of the tasks for which instructions are kept."""
        return list(self._postponed)

    def take_postponed(self, tid: int) -> tuple[tuple[str, Any], ...]:
        """Remove and return the instructions about task *tid* that were kept, oldest first."""
        kept: tuple[tuple[str, Any], ...] = self._postponed.pop(tid, ())
        return kept

    def stop_leaving(self, tid: int) -> bool:
        """Forget that task *tid* is not to come back; say whether it was not."""
        if tid not in self.leaving:
            return False
        self.leaving.remove(tid)
        return True

    def _check(self, task: BaseTask, before: int, after: int) -> None:
        if task.getStatus() != before:
            raise TaskInconsistentStatusException(
                f"{task!r} is not in state {states.status(before)}"
            )
        if not states.is_legal(before, after):
            raise TaskInconsistentStatusException(
                f"{task!r} cannot move from {states.status(before)} to {states.status(after)}"
            )

    def leave_shelf(self, task: BaseTask, status: int) -> None:
        """Take *task* off the shelf of *status*; TaskNotFoundException if it is not there."""
        leave: dict[int, Callable[[], object]] = {
            TASK_STATUS_QUEUED: lambda: self.queues.remove(task),
            TASK_STATUS_RUNNING: lambda: self._take_from_worker(task),
            TASK_STATUS_FAILED: lambda: self._failed.remove(task.getEndedOn() or _never, task),
            TASK_STATUS_TERMINATED: lambda: self._failed.remove(task.getEndedOn() or _never, task),
            TASK_STATUS_ABORTED: lambda: self._failed.discard(task.getEndedOn() or _never, task),
            TASK_STATUS_FINISHED: lambda: self._finished.remove(task.getEndedOn() or _never, task),
        }
        try:
            leave.get(status, lambda: None)()
        except KeyError:
            raise TaskNotFoundException(
                f"{task!r} does not stand on the shelf of {states.status(status)}"
            ) from None

    def _take_from_worker(self, task: BaseTask) -> None:
        claim = self.running.claim(task.getId() or 0)
        if claim is None:
            raise KeyError(task)
        self.running.remove(claim.tid)
        self.backlog.release(claim.tid)
        self.take_postponed(claim.tid)
        TaskHandle(task).settle(claim.number)

    def _arrive(self, element: Any, status: int) -> None:
        if status == TASK_STATUS_QUEUED:
            self.queue(element)
        elif status == TASK_STATUS_RUNNING:
            self.running.add(element, nowutc().timestamp())
        elif status in states.ENDED:
            ended = element.getEndedOn()
            if ended is None:
                ended = nowutc()
                note_end(element, ended)
            self.shelve(element, ended, status)

    def _stored(self, status: int) -> int:
        # A running task is a queued one that is on the running list.
        return TASK_STATUS_QUEUED if status == TASK_STATUS_RUNNING else status

    def _tasks(self) -> Iterator[BaseTask]:
        yield from (obj for op, obj in self.getSpool() if op == "add" and isinstance(obj, BaseTask))
        yield from (task for _, task in self.queues)
        yield from self.running
        for index in (self._failed, self._finished):
            for element in index:
                task = element.getTask() if isinstance(element, TaskOccurrence) else element
                if isinstance(task, BaseTask):
                    yield task


def _forget_spooled(task: Any) -> None:
    try:
        if isinstance(task, BaseTask) and task.getStatus() == TASK_STATUS_SPOOLED:
            TaskHandle(task).forget()
    except Exception as error:
        if is_transient(error):
            raise
        log.warning("a task is dropped unread: %s", reason_of(error))


def _move_quarantine(module: SchedulerModule) -> None:
    """Upgrade from version 1, where the quarantine was a part of the module."""
    module._p_activate()
    quarantine_of(connection_of(module)).add_all(module.__dict__.pop("_aside"))
    module._p_changed = True


SCHEMA = Schema("scheduler", 2, SchedulerModule, {1: _move_quarantine})

_never = datetime.min.replace(tzinfo=nowutc().tzinfo)
