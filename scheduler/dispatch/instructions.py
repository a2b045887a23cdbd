"""The instructions of clients, carried out on the shelves."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from itertools import islice
from typing import Any, ClassVar

from persistent import Persistent
from ZODB.utils import u64

from scheduler.clock import nowutc, stamp
from scheduler.dispatch.bulk import BulkOrders
from scheduler.dispatch.claiming import Claiming
from scheduler.dispatch.quarantine_release import Reclaiming
from scheduler.dispatch.rebinding import Rebinding
from scheduler.dispatch.release import Release
from scheduler.dispatch.signalling import Signalling
from scheduler.dispatch.steps import Steps
from scheduler.inbox import spool
from scheduler.inbox.claims import Claim
from scheduler.inbox.spool import Instruction
from scheduler.queue import NEVER_DUE
from scheduler.schedules.schedule import unpacked
from scheduler.shelves.damage import ShelfDamaged, is_damaged
from scheduler.shelves.declared_schedules import forget_schedule_of
from scheduler.shelves.flow_graph import flow_of
from scheduler.shelves.module import SchedulerModule
from scheduler.shelves.queue_slot import ORDINARY
from scheduler.states import (
    ENDED,
    TASK_STATUS_ABORTED,
    TASK_STATUS_NONE,
    TASK_STATUS_QUEUED,
    TASK_STATUS_RUNNING,
    TASK_STATUS_SPOOLED,
)
from scheduler.store.missing_class import reason_of, why_unusable
from scheduler.tasks.attempt import Attempt, moment
from scheduler.tasks.base import BaseTask
from scheduler.tasks.bound import FollowingTask
from scheduler.tasks.composite import Composite, Step
from scheduler.tasks.handle import StepHandle, TaskHandle
from scheduler.tasks.naming import name_of
from scheduler.tasks.recurring import RecurringTask
from scheduler.values.rate_limit import Limit

log = logging.getLogger(__name__)

# Dates that are backfilled in one tick.
BACKFILL_STEP = 200


class Instructions:
    """Carries out instructions, in the transaction of the present tick.

    *catch_up* brings a task up to date first: one whose attempt is over is put on its shelf.
    """

    def __init__(
        self,
        module: SchedulerModule,
        steps: Steps,
        claiming: Claiming,
        release: Release,
        catch_up: Callable[[BaseTask], None],
    ) -> None:
        self._module = module
        self._steps = steps
        self._claiming = claiming
        self._release = release
        self._catch_up = catch_up
        self._rebinding = Rebinding(module, catch_up, steps)
        self._flows = release.flows
        self._reclaiming = Reclaiming(module, steps, self._add, self.perform, self._flows)
        self._now = nowutc()
        self.stopped: list[Claim] = []
        """The claims taken from workers that may still be at work on them."""
        self.enqueued: list[tuple[str, str]] = []
        """The name and the queue of each task that was taken out of the spool."""
        self.is_reload = False
        """Whether the workers are to be replaced, after the commit."""

    def perform(self, instruction: Instruction) -> None:
        """Carry out one instruction of the spool."""
        self._steps.take(
            lambda: self._ACTS[instruction.op](self, instruction.obj),
            lambda error: self._not_performed(instruction, reason_of(error)),
        )

    def reclaim(self, number: int | None = None) -> None:
        """Queue objects in quarantine that can be read now; only task *number*, if given."""
        self._reclaiming.reclaim(number)
        self._claiming.queue_all()

    def catch_up_flow(self, composite: Composite) -> None:
        """Note in *composite* which of its steps have ended."""
        self._steps.take(
            lambda: self._flows.catch_up(composite),
            lambda error: self._module.set_aside(composite, reason_of(error)),
        )

    def follow_undone(self) -> None:
        """Rebind tasks whose objects were changed and the change was undone."""
        if self._module.getSpool().has_undone():
            for instruction in self._module.getSpool().undone():
                if instruction.op == spool.FOLLOW:
                    self.perform(instruction)

    def _not_performed(self, instruction: Instruction, reason: str) -> None:
        op, obj = instruction.op, instruction.obj
        thing = obj[-1] if isinstance(obj, tuple) and obj else obj
        number = _number_of(thing)
        log.error("the instruction %r about object %s failed: %s", op, number, reason)
        if number is None:
            return
        if op in (spool.ADD, spool.PAGE):
            self._module.set_aside(thing, reason)
        elif op == spool.DELETE and self._module.queues.discard_unread(thing):
            forget_schedule_of(self._module._p_jar, thing)
            log.warning("task %d is removed from the queue unread", number)

    def _add(self, task: Any) -> None:
        if isinstance(task, Composite):
            self._flows.begin_again(task)
            return
        if not isinstance(task, BaseTask):
            raise TypeError(why_unusable(task))
        if task._p_oid in self._module.quarantine:
            self._reclaiming.take_up(task)
            return
        self._catch_up(task)
        status = task.getStatus()
        if status == TASK_STATUS_QUEUED and not self._module.queues.has(task):
            log.warning("%r says that it waits, and does not: it is queued", task)
            TaskHandle(task).spool_again()
            status = TASK_STATUS_SPOOLED
        if status in (TASK_STATUS_QUEUED, TASK_STATUS_RUNNING):
            log.info("%r is at work already", task)
            return
        self._flows.take_up(task)
        if not self._module.admit(task, self._replaced):
            log.warning("%r is turned away: there is one of its kind", task)
            self._forget(task)
            return
        if isinstance(task, FollowingTask) and not self._rebinding.bind(task):
            return
        self.enqueued.append((name_of(task), task.queueName))
        self._place(task, status)

    def _place(self, task: BaseTask, status: int) -> None:
        """Put *task*, which was admitted, where it waits."""
        due = task.getDueOn()
        if status != TASK_STATUS_SPOOLED:
            self._flows.reopen(task)
            self._module.start_again(task, status)
            self._flows.look_after(task)
        elif self._module.holds(task):
            self._module.queue(task)
            self._flows.look_after(task)
        elif due is not None and due <= self._now and self._module.queues.slot_of(task) == ORDINARY:
            self._claiming.add(task, stamp(due))
        else:
            self._module.queue(task)

    def _replaced(self, task: BaseTask) -> None:
        """Forget *task*, which has made room for another one with its unique key."""
        self._module.moveTask(task, TASK_STATUS_QUEUED, TASK_STATUS_NONE)
        self._forget(task)

    def _delete(self, task: BaseTask) -> None:
        if self._module.take_back(task):
            forget_schedule_of(self._module._p_jar, task)
            self._steps.take(lambda: self._forget(task), lambda _: None)
            return
        self._catch_up(task)
        status = task.getStatus()
        if status == TASK_STATUS_RUNNING:
            self._module.leaving.insert(task.getId() or 0)
            return
        self._module.moveTask(task, status, TASK_STATUS_NONE)
        self._forget(task)

    def _leave(self, task: BaseTask) -> None:
        """Delete *task*, which has dequeued itself; one that has ended stays on record."""
        self._catch_up(task)
        if task.getStatus() not in ENDED:
            self._delete(task)
        elif isinstance(task, FollowingTask):
            self._rebinding.release(task)

    def _forget(self, task: BaseTask) -> None:
        TaskHandle(task).forget()
        self._module.forget_follower(task)
        self._release.release(task)
        if isinstance(task, FollowingTask):
            self._rebinding.release(task)

    def _cancel(self, task: BaseTask) -> None:
        self._catch_up(task)
        status = task.getStatus()
        if status not in (TASK_STATUS_SPOOLED, TASK_STATUS_QUEUED, TASK_STATUS_RUNNING):
            log.info("%r is not cancelled: it is not at work", task)
            return
        claim = self._module.running.claim(task.getId() or 0)
        self._module.leave_shelf(task, status)
        if claim is not None:
            self.stopped.append(claim)
        now = nowutc()
        started = now if claim is None else min(now, moment(claim.since))
        handle = TaskHandle(task)
        handle.abort(Attempt(handle.tries + 1, started, now, TASK_STATUS_ABORTED, "cancelled"))
        self._module.shelve(task, now, TASK_STATUS_ABORTED)
        self._release.release(task)

    def _cancel_flow(self, step: Step) -> None:
        """Cancel what is at work of the flow of *step*, but not what is run after failures."""
        for each in flow_of(self._module._p_jar, step):
            prerequisites = StepHandle(each).prerequisites
            if prerequisites is None or prerequisites.when == "finished":
                self._flows.cancel(each)

    def _change(self, change: tuple[datetime, BaseTask]) -> None:
        """Give a waiting task another date; one in quarantine goes on with it."""
        date, task = change
        if task._p_oid in self._module.quarantine:
            task.setStartOn(date)
            TaskHandle(task).set_retry(None)
            self._reclaiming.take_up(task)
            return
        self._catch_up(task)
        status = task.getStatus()
        if status != TASK_STATUS_QUEUED:
            log.warning("%r is not moved to %s: it does not wait", task, date)
            return
        task.setStartOn(date)
        TaskHandle(task).set_retry(None)
        if not task.isPaused() and not task.isBlocked():
            self._move_to(task, stamp(date))

    def _prioritize(self, change: tuple[int, BaseTask]) -> None:
        """Give a task a priority of its own; one that is running has it afterwards."""
        priority, task = change
        if self._waits(task, spool.PRIORITIZE, change):
            TaskHandle(task).prioritize(priority)
            self._move_to(task, TaskHandle(task).queued_for)

    def _reload(self, _: object) -> None:
        self.is_reload = True

    def _pause(self, task: BaseTask | str | None) -> None:
        """Pause *task*, or the queue with that name; None stands for the whole scheduler."""
        if task is None:
            self._module.is_paused = True
        elif isinstance(task, str):
            self._module.backlog.pause(task, is_paused=True)
        elif self._waits(task, spool.PAUSE, task):
            self._move_to(task, NEVER_DUE)

    def _resume(self, task: BaseTask | str | None) -> None:
        """Resume *task*, or the queue with that name; None stands for the whole scheduler."""
        if task is None:
            self._module.is_paused = False
        elif isinstance(task, str):
            self._module.backlog.pause(task, is_paused=False)
        elif self._waits(task, spool.RESUME, task) and task.isPaused():
            self._module.queues.remove(task)
            self._module.queue(task)

    def _reschedule(self, change: tuple[tuple[Any, ...], RecurringTask]) -> None:
        """Give a task another schedule."""
        stored, task = change
        if not self._waits(task, spool.RESCHEDULE, change):
            return
        is_paused = task.isPaused()
        self._module.queues.remove(task)
        task.setSchedule(unpacked(stored))
        TaskHandle(task).set_retry(None)
        self._module.queue(task)
        if is_paused and task.getStatus() == TASK_STATUS_QUEUED:
            self._move_to(task, NEVER_DUE)

    def _backfill(self, order: tuple[datetime, datetime, RecurringTask]) -> None:
        """Enqueue an attempt for each date of a time, some now and the rest by an instruction."""
        since, until, task = order
        self._catch_up(task)
        if task.getStatus() == TASK_STATUS_RUNNING:
            self._module.postpone(task.getId() or 0, spool.BACKFILL, order)
            return
        dates = list(islice(task.getSchedule().between(since, until), BACKFILL_STEP + 1))
        TaskHandle(task).backfill(dates[:BACKFILL_STEP])
        self._steps.has_more = True
        if len(dates) > BACKFILL_STEP:
            self._module.spool(spool.BACKFILL, (dates[BACKFILL_STEP], until, task))

    def _take_bulk_step(self, order: Any) -> None:
        BulkOrders(self._module, self._steps, self.perform).step(order)

    def _note_end(self, told: tuple[Any, ...]) -> None:
        self._flows.ended(*told)

    def _give_signal(self, signal: Any) -> None:
        Signalling(self._module, self._steps).give(signal)

    def _follow(self, subject: Any) -> None:
        self._rebinding.follow(subject)

    def _read_page(self, page: Any) -> None:
        self._reclaiming.read_page(page)

    def _limit(self, change: tuple[str, tuple[Any, ...]]) -> None:
        """Limit a queue."""
        name, limit = change
        self._module.backlog.limit(name, Limit(*limit))

    def _check_shelves(self, _: None) -> None:
        """Raise ShelfDamaged if they are, so that they are repaired."""
        if is_damaged(self._module._p_jar):
            raise ShelfDamaged

    def _waits(self, task: BaseTask, op: str, obj: Any) -> bool:
        """Say whether *task* stands in the queue; for a running one, keep the instruction."""
        self._catch_up(task)
        status = task.getStatus()
        if status == TASK_STATUS_RUNNING:
            self._module.postpone(task.getId() or 0, op, obj)
        elif status != TASK_STATUS_QUEUED:
            log.warning("%r does not wait: %r is passed over", task, op)
        return status == TASK_STATUS_QUEUED

    def _move_to(self, task: BaseTask, due: float) -> None:
        self._module.queues.remove(task)
        self._module.queues.add(task, due)

    _ACTS: ClassVar[dict[str, Callable[[Instructions, Any], None]]] = {
        spool.ADD: _add,
        spool.DELETE: _delete,
        spool.LEAVE: _leave,
        spool.CHANGE: _change,
        spool.PRIORITIZE: _prioritize,
        spool.CANCEL: _cancel,
        spool.PAUSE: _pause,
        spool.RESUME: _resume,
        spool.RESCHEDULE: _reschedule,
        spool.BACKFILL: _backfill,
        spool.BULK: _take_bulk_step,
        spool.ENDED: _note_end,
        spool.CANCEL_FLOW: _cancel_flow,
        spool.RECLAIM: reclaim,
        spool.LIMIT: _limit,
        spool.SIGNAL: _give_signal,
        spool.FOLLOW: _follow,
        spool.PAGE: _read_page,
        spool.REPAIR: _check_shelves,
        spool.RELOAD: _reload,
    }


def _number_of(thing: Any) -> int | None:
    is_stored = isinstance(thing, Persistent) and thing._p_oid is not None
    return u64(thing._p_oid) if is_stored else None
