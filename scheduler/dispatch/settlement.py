"""The scheduler's moves: what an instruction, an outcome or a due date does to the shelves."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from persistent import Persistent
from ZODB.utils import u64

from scheduler.clock import nowutc, stamp
from scheduler.dispatch.claiming import Claiming
from scheduler.dispatch.instructions import Instructions
from scheduler.dispatch.quarantine_release import Reclaiming
from scheduler.dispatch.rebinding import Rebinding
from scheduler.dispatch.steps import Steps
from scheduler.errors import WorkerLost
from scheduler.executors import Lost
from scheduler.inbox import spool
from scheduler.inbox.claims import Claim
from scheduler.inbox.spool import Instruction
from scheduler.runtime.context import ProgressReport
from scheduler.shelves.module import SchedulerModule
from scheduler.shelves.queue_slot import ORDINARY
from scheduler.states import (
    ENDED,
    TASK_STATUS_ABORTED,
    TASK_STATUS_FAILED,
    TASK_STATUS_FINISHED,
    TASK_STATUS_NONE,
    TASK_STATUS_QUEUED,
    TASK_STATUS_RUNNING,
    TASK_STATUS_SPOOLED,
    TASK_STATUS_TERMINATED,
)
from scheduler.store.missing_class import reason_of, why_unusable
from scheduler.tasks.attempt import Attempt, moment
from scheduler.tasks.base import BaseTask
from scheduler.tasks.bound import FollowingTask
from scheduler.tasks.group import TaskGroup
from scheduler.tasks.naming import name_of
from scheduler.tasks.occurrence import TaskOccurrence
from scheduler.tasks.recurring import RecurringTask
from scheduler.worker.attempt import fail, named
from scheduler.worker.outcome import Outcome, check_claim, outcome_of

log = logging.getLogger(__name__)


class Settlement:
    """Moves tasks between the shelves of a module, in the transaction of the present tick.

    A step that fails is undone and logged; a task that cannot be read or queued is put in
    quarantine. Only conflicts get out, troubles of the database, and StepFailed (see `Steps`).
    """

    def __init__(self, module: SchedulerModule, *, is_careful: bool = True) -> None:
        self._module = module
        self._running = module.running
        self._steps = Steps(module._p_jar, is_careful=is_careful)
        self._following = Rebinding(module, self._catch_up, self._steps)
        self._reclaiming = Reclaiming(module, self._steps, self._add, self.perform)
        self._directing = Instructions(module, self._catch_up, self._reclaiming.take_up)
        self._now = nowutc()
        self._claiming = Claiming(module, self._steps)
        self.has_more = False
        """Whether something may have been put into the spool here, for the next tick."""
        self.stopped: list[Claim] = []
        """The claims taken from workers that may still be at work on them."""

    def perform(self, instruction: Instruction) -> None:
        """Carry out one instruction of the spool."""
        self._steps.take(
            lambda: self._carry_out(instruction),
            lambda error: self._not_carried_out(instruction, reason_of(error)),
        )

    def _carry_out(self, instruction: Instruction) -> None:
        act: dict[str, Callable[[Any], None]] = {
            spool.ADD: self._add,
            spool.DELETE: self._delete,
            spool.LEAVE: self._leave,
            spool.CHANGE: self._directing.change,
            spool.CANCEL: self._cancel,
            spool.PAUSE: self._directing.pause,
            spool.RESUME: self._directing.resume,
            spool.RESCHEDULE: self._directing.reschedule,
            spool.RECLAIM: self.reclaim,
            spool.LIMIT: self._directing.limit,
            spool.FOLLOW: self._following.follow,
            spool.PAGE: self._reclaiming.read_page,
        }
        act[instruction.op](instruction.obj)

    def _not_carried_out(self, instruction: Instruction, reason: str) -> None:
        op, obj = instruction.op, instruction.obj
        thing = obj[-1] if isinstance(obj, tuple) and obj else obj
        number = _number_of(thing)
        log.error("the instruction %r about object %s failed: %s", op, number, reason)
        if number is None:
            return
        if op in (spool.ADD, spool.PAGE):
            self._module.set_aside(thing, reason)
        elif op == spool.DELETE and self._module.unqueue_unread(thing):
            log.warning("task %d is removed from the queue unread", number)

    def claim(self, now: float, room: int, caps: Mapping[str, int]) -> list[Claim]:
        """Give out the tasks that are due, see `Claiming.claim`."""
        return self._claiming.claim(now, room, caps)

    def settle(self, outcome: Outcome) -> None:
        """Put a task that comes back from a worker on its next shelf.

        An outcome whose claim is no longer in force is that of a worker given up for lost.
        """
        tid = outcome.claim.tid
        if self._running.claim(tid) != outcome.claim:
            log.warning("an outcome of task %d came too late", tid)
            return
        if outcome.unloadable:
            self._quarantine(tid, outcome.unloadable)
        else:
            self._steps.take(
                lambda: self._settle(outcome), lambda error: self._quarantine(tid, reason_of(error))
            )

    def _quarantine(self, tid: int, reason: str) -> None:
        task = self._running.remove(tid)
        self._module.backlog.release(tid)
        if self._module.stop_leaving(tid):
            log.warning("task %d is deleted unread: %s", tid, reason)
        elif task is not None:
            log.error("task %d is quarantined: %s", tid, reason)
            self._module.set_aside(task, reason)
        self._perform_postponed(tid)

    def _settle(self, outcome: Outcome) -> None:
        tid = outcome.claim.tid
        element = self._ended(outcome)
        task = self._running.remove(tid)
        if outcome.fought is not None:
            self._module.conflicts.note(name_of(task), outcome.fought, self._now.timestamp())
        is_leaving = self._module.stop_leaving(tid)
        is_put_off = outcome.shelf is None and outcome.due is not None and not is_leaving
        place = self._module.backlog.release(
            tid, keeps_key=is_put_off and not isinstance(task, RecurringTask)
        )
        if outcome.shelf is not None and outcome.shelf != TASK_STATUS_NONE:
            self._module.shelve(element, outcome.ended or nowutc(), outcome.shelf)
        if outcome.due is not None and not is_leaving:
            # The task bears the date already: it is not loaded here, nor written again.
            self._module.requeue(task, outcome.due.timestamp(), place)
            self._perform_postponed(tid)
            return
        if outcome.due is not None:
            task._forget()
        self._release_key(task)
        if outcome.group is not None:
            group = self._module._p_jar.get(outcome.group)
            self._note_in(group, tid, has_finished=outcome.shelf == TASK_STATUS_FINISHED)
        self._perform_postponed(tid)

    def follow_undone(self) -> None:
        """Let tasks follow objects whose changes were undone: they are as they were before."""
        if self._module.getSpool().has_undone():
            for instruction in self._module.getSpool().undone():
                if instruction.op == spool.FOLLOW:
                    self.perform(instruction)

    def rescue(self, lost: Lost, max_tries: int) -> None:
        """Take back a task from a worker that is gone, and see what became of it.

        A run that was committed counts. One that was not is fenced off, and ends as the loss
        says.
        """
        claim = lost.claim
        if self._running.claim(claim.tid) != claim:
            return

        def outcome() -> Outcome:
            task = self._module.getTaskById(claim.tid)
            check_claim(claim, task)
            if task._settled < claim.number:
                self._fence(task, lost, max_tries)
            return outcome_of(task, claim)

        def unread(error: Exception) -> Outcome:
            return Outcome(claim, unloadable=reason_of(error))

        self.settle(self._steps.take(outcome, unread))

    def note_progress(self, progress: ProgressReport) -> None:
        """Let clients see how far a run has come."""
        self._running.note_progress(*progress)

    def put_back(self, claim: Claim) -> None:
        """Put a task that no worker had begun back into the waiting queue."""
        if self._running.claim(claim.tid) == claim:
            self._steps.take(
                lambda: self._put_back(claim),
                lambda error: self._quarantine(claim.tid, reason_of(error)),
            )

    def _put_back(self, claim: Claim) -> None:
        self._module.backlog.release(claim.tid)
        self._module.wait(self._running.remove(claim.tid), claim.since)
        self._perform_postponed(claim.tid)

    def reclaim(self, number: int | None = None) -> None:
        """Queue what is in quarantine and can be read now; only task *number*, if given."""
        self._reclaiming.reclaim(number)
        self._claiming.queue_all()

    def _fence(self, task: BaseTask, lost: Lost, max_tries: int) -> None:
        now = nowutc()
        self.has_more = True
        started = min(now, moment(lost.claim.since))
        task._settle(lost.claim.number)
        attempt = Attempt(task._tries + 1, started, now, lost.state, lost.why, worker=lost.worker)
        if lost.state == TASK_STATUS_FAILED:
            log.log(*fail(task, attempt, WorkerLost, max_tries))
        elif lost.state == TASK_STATUS_TERMINATED:
            log.error("%s is terminated: %s", named(task), lost.why)
            task._end(attempt)
        else:
            log.warning("%s is run again: %s", named(task), lost.why)
            task._delay(attempt, now.timestamp())

    def _add(self, task: Any) -> None:
        if not isinstance(task, BaseTask):
            raise TypeError(why_unusable(task))
        if task._p_oid in self._module.quarantine:
            self._reclaiming.take_up(task)
            return
        self._catch_up(task)
        status = task.getStatus()
        if status == TASK_STATUS_QUEUED and not self._module.is_waiting(task):
            log.warning("%r says that it waits, and does not: it is queued", task)
            task._spool_again()
            status = TASK_STATUS_SPOOLED
        if status in (TASK_STATUS_QUEUED, TASK_STATUS_RUNNING):
            log.info("%r is at work already", task)
            return
        due = task.getDueOn()
        if not self._module.admit(task):
            log.warning("%r is turned away: there is one of its kind", task)
            task._forget()
            self._note_in(task._group, task.getId() or 0, has_finished=False)
            return
        if isinstance(task, FollowingTask) and not self._following.bind(task):
            return
        if status != TASK_STATUS_SPOOLED:
            self._module.start_again(task, status)
        elif due is not None and due <= self._now and self._module.place_of(task) == ORDINARY:
            self._claiming.add(task, stamp(due))
        else:
            self._module.queue(task)

    def _delete(self, task: BaseTask) -> None:
        if self._module.take_back(task):
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
        """Let *task*, which has dequeued itself, not come back; what has ended stays on record."""
        self._catch_up(task)
        if task.getStatus() not in ENDED:
            self._delete(task)
        elif isinstance(task, FollowingTask):
            self._following.release(task)

    def _forget(self, task: BaseTask) -> None:
        task._forget()
        self._release_key(task)
        self._note_in(task._group, task.getId() or 0, has_finished=False)
        if isinstance(task, FollowingTask):
            self._following.release(task)

    def _perform_postponed(self, tid: int) -> None:
        for op, obj in self._module.take_postponed(tid):
            self.perform(Instruction(op, obj))

    def _cancel(self, task: BaseTask) -> None:
        self._catch_up(task)
        status = task.getStatus()
        if status not in (TASK_STATUS_SPOOLED, TASK_STATUS_QUEUED, TASK_STATUS_RUNNING):
            log.info("%r is not cancelled: it is not at work", task)
            return
        claim = self._running.claim(task.getId() or 0)
        self._module.leave_shelf(task, status)
        if claim is not None:
            self.stopped.append(claim)
        now = nowutc()
        started = now if claim is None else min(now, moment(claim.since))
        task._abort(Attempt(task._tries + 1, started, now, TASK_STATUS_ABORTED, "cancelled"))
        self._module.shelve(task, now, TASK_STATUS_ABORTED)
        self._release_key(task)
        self._note_in(task._group, task.getId() or 0, has_finished=False)
        self.has_more = True  # what undoes the steps before it, in a chain

    def _note_in(self, group: TaskGroup | None, tid: int, *, has_finished: bool) -> None:
        if group is None:
            return

        def failed(error: Exception) -> None:
            log.error("a group cannot note that task %d has ended: %s", tid, reason_of(error))
            if _is_stored(group):
                self._module.set_aside(group, reason_of(error))

        self._steps.take(lambda: group._note(self._module._p_jar, tid, has_finished), failed)
        self.has_more = True

    def _release_key(self, task: BaseTask) -> None:
        def failed(error: Exception) -> None:
            log.error("the unique key of task %s is not known: %s", task.getId(), reason_of(error))

        self._steps.take(lambda: self._module.unique.release(task), failed)

    def _ended(self, outcome: Outcome) -> Any:
        if outcome.shelf is None or outcome.unloadable:
            return None
        task = self._running.task(outcome.claim.tid)
        if outcome.element is None:
            return task._ended_element()
        if outcome.element == task._p_oid:
            return task
        # Not by `get`, which would load it to see what it is.
        return self._module._p_jar._reader.load_persistent(outcome.element, TaskOccurrence)

    def _catch_up(self, task: BaseTask) -> None:
        self._claiming.queue(task)
        # Its run may be committed while the worker's report is still on the way.
        claim = self._running.claim(task.getId() or 0)
        if claim is not None and task._settled == claim.number:
            self.settle(outcome_of(task, claim))


def _number_of(thing: Any) -> int | None:
    return u64(thing._p_oid) if _is_stored(thing) else None


def _is_stored(thing: Any) -> bool:
    return isinstance(thing, Persistent) and thing._p_oid is not None
