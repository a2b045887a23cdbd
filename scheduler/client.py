"""The client: each call puts one instruction into the spool, or reads the database."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from datetime import datetime
from typing import Any, ParamSpec, TypeVar, overload

from persistent import Persistent
from ZODB.utils import u64

from scheduler.clock import aware, moment, nowutc, stamp
from scheduler.errors import TaskInconsistentStatusException
from scheduler.flow_client import FlowClient
from scheduler.inbox import spool
from scheduler.inbox.bindings import follow
from scheduler.inbox.quarantine import is_quarantined
from scheduler.inbox.signals import checked_name
from scheduler.inbox.spool import Spool
from scheduler.runtime.context import current_run
from scheduler.schedules.schedule import Schedule, packed
from scheduler.shelves.bulk_order import CANCEL, DELETE, MOVE, PRIORITIZE, RETRY, BulkOrder
from scheduler.shelves.declared_schedules import DeclaredSchedule, known_schedules
from scheduler.shelves.queue_slot import paused_queue, plain_text
from scheduler.shelves.task_filter import TaskFilter
from scheduler.shelves.walk import walk
from scheduler.states import (
    TASK_STATUS_ABORTED,
    TASK_STATUS_FAILED,
    TASK_STATUS_NONE,
    TASK_STATUS_TERMINATED,
)
from scheduler.store.encryption import has_key
from scheduler.store.sealed_value import sealed
from scheduler.tasks.base import BaseTask
from scheduler.tasks.call import CallTask, call_of
from scheduler.tasks.composite import Step
from scheduler.tasks.naming import dotted
from scheduler.tasks.recurring import RecurringTask, backfilled
from scheduler.tasks.result_wait import wait_for
from scheduler.values.rate_limit import Limit

P = ParamSpec("P")
R = TypeVar("R")


class Client(FlowClient):
    """A proxy of the scheduler, for any process that can open the database (reference 3.3).

    Its changes belong to the caller's transaction: they take effect if that commits, and not
    if that aborts. Instructions of different clients never conflict, on
    any storage that merges concurrent changes (all but a bare MappingStorage).
    """

    @overload
    def call(
        self, function: Callable[P, Coroutine[Any, Any, R]], /, *args: P.args, **kwargs: P.kwargs
    ) -> CallTask[R]: ...

    @overload
    def call(
        self, function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs
    ) -> CallTask[R]: ...

    @overload
    def call(
        self,
        date: datetime,
        function: Callable[P, Coroutine[Any, Any, R]],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> CallTask[R]: ...

    @overload
    def call(
        self, date: datetime, function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs
    ) -> CallTask[R]: ...

    def call(self, first: Any, /, *args: Any, **kwargs: Any) -> CallTask[Any]:
        """Enqueue a call of a function, plain or async, with these arguments; return its task.

        An aware datetime before the function is the date at which it is called; now without one.
        Raises TypeError for a function that cannot be found again by its name, and for arguments
        that it does not take or that cannot be stored.
        """
        date = nowutc()
        if isinstance(first, datetime):
            if not args:
                raise TypeError("a call needs a function behind its date")
            date, first, args = first, args[0], args[1:]
        task = call_of(date, first, args, kwargs)
        self.enqueue(task)
        return task

    def dequeue(self, task: BaseTask) -> bool:
        """Schedule *task* for deletion; always True. A running attempt goes on to its end.

        A task that dequeues itself ends with its present run, and the record of that stays.
        """
        run = current_run()
        is_own = run is not None and run.claim.tid == task.getId()
        return self._module.spool(spool.LEAVE if is_own else spool.DELETE, task)

    def cancelTask(self, task: BaseTask) -> bool:
        """Cancel *task*, which waits or is running: it ends ABORTED; always True.

        A worker process that runs it is killed, a thread is asked (`BaseTask.checkCancelled`);
        the changes of the attempt are aborted. `startFailedTask` starts it again.
        """
        return self._module.spool(spool.CANCEL, task)

    def moveTask(self, task: BaseTask, newDate: datetime) -> bool:
        """Give *task*, which was not started yet, the aware start date *newDate*; always True."""
        date = moment(stamp(aware(newDate, "newDate")))
        return self._module.spool(spool.CHANGE, (date, task))

    def prioritizeTask(self, task: BaseTask, priority: int) -> bool:
        """Give *task* a *priority* of its own, for as long as it exists; always True.

        A running task has it afterwards. TypeError for a priority that is no whole number.
        """
        return self._module.spool(spool.PRIORITIZE, (_priority(priority), task))

    def pauseTask(self, task: BaseTask) -> bool:
        """Pause *task* until it is resumed; always True. A running attempt goes on to its end."""
        return self._module.spool(spool.PAUSE, task)

    def resumeTask(self, task: BaseTask) -> bool:
        """Resume the paused *task*; always True.

        The dates that passed meanwhile are missed dates (`catchUp` says what becomes of them).
        """
        return self._module.spool(spool.RESUME, task)

    def changeSchedule(self, task: RecurringTask, schedule: Schedule) -> bool:
        """Run *task* by another *schedule* from now on; always True.

        For a task that is running, it is changed once it has ended.
        """
        if not isinstance(task, RecurringTask):
            raise TypeError(f"{task!r} has no schedule: it is run once")
        return self._module.spool(spool.RESCHEDULE, (packed(schedule), task))

    def backfill(self, task: RecurringTask, since: datetime, until: datetime) -> int:
        """Run *task* for each date of its schedule from *since* to *until*, both included.

        Returns how many dates there are. They are run one after the other, oldest first, beside
        the schedule, and recorded as its occurrences; `scheduler.attempt.date` is the date of
        each. ValueError for dates to come, and for more than 10,000.
        """
        begin, end, number = backfilled(task, since, until)
        self._module.spool(spool.BACKFILL, (begin, end, task))
        return number

    def getSchedules(self) -> dict[str, DeclaredSchedule]:
        """Return the declared schedules by the dotted names of their functions.

        A schedule that has vanished from the code goes on until its task is dequeued.
        """
        return {
            dotted(path): entry
            for path, entry in known_schedules(self._connection)
            if entry.state != TASK_STATUS_NONE
        }

    def reloadWorkers(self) -> bool:
        """Replace the worker processes one by one, by such with the present code; always True.

        Running attempts end, and nothing is lost. The scheduler imports the modules of tasks
        that have changed anew; where that fails the workers stay.
        """
        return self._module.spool(spool.RELOAD, None)

    def signal(self, name: str, payload: Any = None) -> bool:
        """Give the signal *name* to all tasks that wait for it; always True.

        *payload* is plain data or a stored object. Where no task waits yet, it is kept for the
        first one that will: for 30 days, and of all such signals the newest 10,000. It is stored
        encrypted where this installation has a key.
        """
        spool.check_part(payload)
        kept = payload if payload is None or not has_key() else sealed(payload)
        return self._module.spool(spool.SIGNAL, (checked_name(name), kept))

    def pause(self, queue: str | None = None) -> bool:
        """Pause the scheduler, or the named *queue* alone, over restarts too; always True.

        None of its tasks is started; running attempts go on to their end.
        """
        return self._module.spool(spool.PAUSE, paused_queue(queue))

    def resume(self, queue: str | None = None) -> bool:
        """Resume the paused scheduler, or the paused named *queue*; always True."""
        return self._module.spool(spool.RESUME, paused_queue(queue))

    def isPaused(self, queue: str | None = None) -> bool:
        """Say whether the scheduler, or the named *queue*, is paused."""
        if queue is None:
            return self._module.is_paused
        return self._module.backlog.is_paused(queue)

    def limitQueue(
        self,
        name: str,
        atOnce: int | None = None,
        rate: int | None = None,
        period: float = 1.0,
    ) -> bool:
        """Limit the tasks with this `queueName`; always True. None takes the limit away.

        Over all schedulers, *atOnce* of them run at a time, and *rate* are started in any
        *period* (seconds). ValueError for an invalid limit.
        """
        if not name:
            raise ValueError("a limit is for a queue with a name: give one, and the tasks, too")
        limit = tuple(Limit(atOnce, rate, period).checked())
        return self._module.spool(spool.LIMIT, (plain_text(name, "the queue"), limit))

    def getQueues(self) -> dict[str, dict[str, Any]]:
        """Return by the names of queues what `limitQueue` says, and how many wait and run."""
        return {
            name: {
                "waiting": waiting,
                "running": running,
                "atOnce": limit.at_once,
                "rate": limit.rate,
                "period": limit.period,
            }
            for name, (limit, waiting, running) in self._module.backlog.queues().items()
        }

    def select(self, chosen: TaskFilter) -> Iterator[BaseTask]:
        """Yield the tasks that *chosen* means, one by one: the next and the newest ones first."""
        return (
            found.task
            for found in walk(self._module, chosen)
            if found.is_task and chosen.allows(found)
        )

    def count(self, chosen: TaskFilter) -> int:
        """Return how many tasks *chosen* means."""
        return sum(1 for _ in self.select(chosen))

    def cancelAll(self, chosen: TaskFilter) -> bool:
        """Cancel the waiting and running tasks that *chosen* means; always True.

        Like the calls below, it is one instruction: the scheduler carries it out step by step, and
        other tasks have their turn in between. Tasks that were enqueued later are not meant.
        """
        return self._module.spool(spool.BULK, tuple(BulkOrder.of(CANCEL, chosen)))

    def retryAll(self, chosen: TaskFilter) -> bool:
        """Start again the failed, terminated and quarantined tasks that *chosen* means.

        Cancelled ones are, where its state is "aborted". Always True.
        """
        return self._module.spool(spool.BULK, tuple(BulkOrder.of(RETRY, chosen)))

    def deleteAll(self, chosen: TaskFilter) -> bool:
        """Delete the tasks that *chosen* means, running ones only if it names that state.

        Always True. They are gone as those that `dequeue` deletes.
        """
        return self._module.spool(spool.BULK, tuple(BulkOrder.of(DELETE, chosen)))

    def moveAll(self, chosen: TaskFilter, newDate: datetime) -> bool:
        """Give the waiting tasks that *chosen* means the aware date *newDate*; always True."""
        date = moment(stamp(aware(newDate, "newDate")))
        return self._module.spool(spool.BULK, tuple(BulkOrder.of(MOVE, chosen, date)))

    def prioritizeAll(self, chosen: TaskFilter, priority: int) -> bool:
        """Give the waiting tasks that *chosen* means this *priority*; always True."""
        order = BulkOrder.of(PRIORITIZE, chosen, priority=_priority(priority))
        return self._module.spool(spool.BULK, tuple(order))

    def reclaim(self, tid: int | None = None) -> bool:
        """Queue the tasks that could not be loaded, if they can be now; always True.

        *tid* is the number of one such task; None stands for all of them.
        """
        return self._module.spool(spool.RECLAIM, tid)

    def follow(self, obj: Persistent) -> bool:
        """Update the tasks that are bound to *obj*, which has changed, moved or gone.

        Always True. See `scheduler.tasks.BoundTask`.
        """
        follow(obj)
        return True

    def shutdown(self, msg: str = "") -> bool:
        """Shut the scheduler down; *msg* is written to its log. Always True."""
        return self._module.spool(spool.SHUTDOWN, str(msg))

    def repair(self) -> bool:
        """Have the scheduler check its own data, and rebuild the parts that cannot be read."""
        return self._module.spool(spool.REPAIR, None)

    def clearSpool(self) -> int:
        """Drop all instructions that the scheduler has not taken up; return how many."""
        return self._module.clearSpool()

    def getSpool(self) -> Spool:
        """Return the spool; iterating it gives `(op, obj)`."""
        return self._module.getSpool()

    def getStatus(self) -> dict[str, Any]:
        """Return state, hostname, pid, and the numbers of tasks on each shelf."""
        return self._module.getStatus()

    def getTask(self, tid: int) -> BaseTask:
        """Return the task with number *tid*, also a step whose turn has not come; or KeyError."""
        return self._module.find_task(tid)

    def startFailedTask(self, task: BaseTask) -> None:
        """Start a failed, terminated or cancelled task again, at once.

        A task in quarantine goes on if it can be read now. Raises TaskInconsistentStatusException
        for a task in another state.
        """
        if is_quarantined(task):
            self.reclaim(u64(task._p_oid))  # which may be of no class of tasks now
            return
        if task.getStatus() not in _STARTED_AGAIN:
            raise TaskInconsistentStatusException(f"{task!r} has not failed")
        self._module.spool(spool.ADD, task)

    @overload
    def waitFor(self, task: CallTask[R], timeout: float | None = None) -> R: ...

    @overload
    def waitFor(self, task: Step, timeout: float | None = None) -> Any: ...

    def waitFor(self, task: Step, timeout: float | None = None) -> Any:
        """Wait until *task*, a chain or a group has finished; return its result.

        Raises TaskNotCommitted in a transaction with changes, such as that which enqueues it,
        TaskFailed where it does not finish, TaskNotFoundException where it is gone,
        WaitTimeoutError after *timeout* seconds, SchedulerException inside an attempt.
        """
        return wait_for(task, timeout)


def _priority(value: int) -> int:
    if type(value) is not int:
        raise TypeError(f"the priority is {value!r}; it must be a whole number")
    return value


_STARTED_AGAIN = (TASK_STATUS_FAILED, TASK_STATUS_TERMINATED, TASK_STATUS_ABORTED)
