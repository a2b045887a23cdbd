"""The scheduler's moves: what an instruction, an outcome or a due date does to the shelves."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from scheduler import spool
from scheduler.clock import nowutc
from scheduler.errors import WorkerLost
from scheduler.executors import Lost
from scheduler.fights import kind_of
from scheduler.following import Following
from scheduler.group import Group
from scheduler.limits import Limit
from scheduler.module import SchedulerModule
from scheduler.outcome import Outcome, outcome_of
from scheduler.place import ORDINARY
from scheduler.queue import NEVER_DUE
from scheduler.run import Progress
from scheduler.running import Claim
from scheduler.spool import Instruction
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
from scheduler.store.broken import forget_broken, why_unusable
from scheduler.store.trouble import is_passing
from scheduler.tasks.attempt import Attempt, moment
from scheduler.tasks.base import BaseTask
from scheduler.tasks.bound import FollowingTask
from scheduler.tasks.occurrence import TaskOccurrence
from scheduler.tasks.recurring import RecurringTask, unpacked
from scheduler.trial import fail, named

log = logging.getLogger(__name__)


class Shelving:
    """Moves tasks between the shelves of a module, in the transaction of the present tick.

    Nothing bad stops the rest: what cannot be carried out is logged, what cannot be loaded is
    set aside. Only conflicts get out, and that the database is away.
    """

    def __init__(self, module: SchedulerModule) -> None:
        self._module = module
        self._running = module.running
        self._following = Following(module, self._catch_up)
        self._now = nowutc()
        self._fresh: dict[bytes, tuple[float, BaseTask]] = {}  # by object id: due at once
        self.has_more = False
        """Whether something may have been put into the spool here, for the next tick."""
        self.stopped: list[Claim] = []
        """The claims taken from workers that may still be at work on them."""

    def perform(self, instruction: Instruction) -> None:
        """Carry out one instruction of the spool."""
        act: dict[str, Callable[[Any], None]] = {
            spool.ADD: self._add,
            spool.DELETE: self._delete,
            spool.CHANGE: self._change,
            spool.CANCEL: self._cancel,
            spool.PAUSE: self._pause,
            spool.RESUME: self._resume,
            spool.RESCHEDULE: self._reschedule,
            spool.RECLAIM: self.reclaim,
            spool.LIMIT: self._limit,
            spool.FOLLOW: self._following.follow,
        }
        try:
            act[instruction.op](instruction.obj)
        except Exception as error:
            if is_passing(error):
                raise
            log.exception("the instruction %r could not be carried out", instruction.op)
            self._set_aside(instruction.obj, error)

    def claim(self, now: float, room: int, caps: Mapping[str, int]) -> list[Claim]:
        """Give out the tasks that are due at *now* (since 1970), at most *room*.

        Of the room that more urgent ones leave, other queues get half, as long as something is
        due in the ordinary one. *caps* says how many of a queue this scheduler runs.
        """
        backlog = self._module.backlog
        tasks = backlog.take(now, room, 1, math.inf, caps)
        tasks += backlog.take(now, -(-(room - len(tasks)) // 2), 0, 0, caps)
        tasks += self._claim_ordinary(now, room - len(tasks))
        tasks += backlog.take(now, room - len(tasks), -math.inf, 0, caps)
        return [self._running.add(task, now) for task in tasks]

    def _claim_ordinary(self, now: float, room: int) -> list[BaseTask]:
        # What has only just come out of the spool goes straight to a worker if it can: that it
        # was queued for no time at all need not be written into it.
        tasks = self._module.getWaitingQueue().pop_due(now, room) if room > 0 else []
        fresh = sorted(self._fresh.values())
        self._fresh.clear()
        straight = max(0, room - len(tasks))
        for due, task in fresh[straight:]:
            self._module.wait(task, due)
        tasks.extend(task for _, task in fresh[:straight])
        return tasks

    def settle(self, outcome: Outcome) -> None:
        """Put a task that comes back from a worker on its next shelf.

        An outcome whose claim is no longer in force is that of a worker given up for lost.
        """
        tid = outcome.claim.tid
        if self._running.claim(tid) != outcome.claim:
            log.warning("an outcome of task %d came too late", tid)
            return
        try:
            element = self._ended(outcome)
        except Exception as error:
            if is_passing(error):
                raise
            log.exception("task %d cannot be shelved", tid)
            outcome = Outcome(outcome.claim, unloadable=f"{type(error).__name__}: {error}")
        task = self._running.remove(tid)
        if outcome.fought is not None:
            self._module.fights.note(kind_of(task), outcome.fought, self._now.timestamp())
        is_leaving = self._module.stop_leaving(tid)
        is_put_off = outcome.shelf is None and outcome.due is not None and not is_leaving
        place = self._module.backlog.release(
            tid, keeps_key=is_put_off and not isinstance(task, RecurringTask)
        )
        if outcome.unloadable:
            log.error("task %d is set aside: %s", tid, outcome.unloadable)
            self._module.set_aside(task, outcome.unloadable)
            return
        if outcome.shelf is not None and outcome.shelf != TASK_STATUS_NONE:
            self._module.shelve(element, outcome.ended or nowutc(), outcome.shelf)
        if outcome.due is not None and not is_leaving:
            # The task bears the date already: it is not loaded here, nor written again.
            self._module.requeue(task, outcome.due.timestamp(), place)
            self._perform_postponed(tid)
            return
        if outcome.due is not None:
            task._status = TASK_STATUS_NONE
        self._module.unique.release(task)
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
        try:
            task = self._module.getTaskById(claim.tid)
            if task._settled < claim.number:
                self._fence(task, lost, max_tries)
            outcome = outcome_of(task, claim)
        except Exception as error:
            if is_passing(error):
                raise
            log.exception("what became of task %d cannot be told", claim.tid)
            outcome = Outcome(claim, unloadable=f"{type(error).__name__}: {error}")
        self.settle(outcome)

    def note_progress(self, progress: Progress) -> None:
        """Let clients see how far a run has come."""
        self._running.note_progress(*progress)

    def put_back(self, claim: Claim) -> None:
        """Put a task that no worker had begun back into the waiting queue."""
        if self._running.claim(claim.tid) == claim:
            self._module.backlog.release(claim.tid)
            self._module.wait(self._running.remove(claim.tid), claim.since)
            self._perform_postponed(claim.tid)

    def reclaim(self, number: int | None = None) -> None:
        """Queue what was set aside and can be loaded now; only task *number*, if given."""
        for aside in self._module.aside():
            forget_broken(aside.obj)
        self._module._p_jar.cacheMinimize()  # and with it, who refers to what is forgotten
        for aside in self._module.aside():
            task = aside.obj
            if number in (None, aside.number) and isinstance(task, BaseTask) and _is_sound(task):
                log.warning("%r was set aside and can be loaded again", task)
                self._module.take_back(task)
                self._module.queue(task)

    def _fence(self, task: BaseTask, lost: Lost, max_tries: int) -> None:
        now = nowutc()
        self.has_more = True
        started = min(now, moment(lost.claim.since))
        task._settled = lost.claim.number  # whoever still runs it conflicts with this
        attempt = Attempt(task._tries + 1, started, now, lost.state, lost.why)
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
        self._catch_up(task)
        status = task.getStatus()
        if status in (TASK_STATUS_QUEUED, TASK_STATUS_RUNNING):
            log.info("%r is at work already", task)
            return
        due = task.getDueOn()
        if not self._module.admit(task):
            log.warning("%r is turned away: there is one of its kind", task)
            task._status = TASK_STATUS_NONE
            self._note_in(task._group, task.getId() or 0, has_finished=False)
            return
        if isinstance(task, FollowingTask) and not self._following.bind(task):
            return
        if status != TASK_STATUS_SPOOLED:
            self._module.start_again(task, status)
        elif due is not None and due <= self._now and self._module.place_of(task) == ORDINARY:
            self._fresh[task._p_oid] = (due.timestamp(), task)
        else:
            self._module.queue(task)

    def _delete(self, task: BaseTask) -> None:
        self._catch_up(task)
        status = task.getStatus()
        if status == TASK_STATUS_RUNNING:
            self._module.leaving.insert(task.getId() or 0)
            return
        self._module.moveTask(task, status, TASK_STATUS_NONE)
        self._module.unique.release(task)
        self._note_in(task._group, task.getId() or 0, has_finished=False)
        if isinstance(task, FollowingTask):
            self._following.release(task)

    def _change(self, change: tuple[datetime, BaseTask]) -> None:
        date, task = change
        self._catch_up(task)
        status = task.getStatus()
        if status != TASK_STATUS_QUEUED:
            log.warning("%r is not moved to %s: it does not wait", task, date)
            return
        task.setStartOn(date)
        task._retry_on = None
        if not task.isPaused():
            self._move_to(task, date.timestamp())

    def _pause(self, task: BaseTask | None) -> None:
        if task is None:
            self._module.is_paused = True
        elif self._waits(task, spool.PAUSE, task):
            self._move_to(task, NEVER_DUE)

    def _resume(self, task: BaseTask | None) -> None:
        if task is None:
            self._module.is_paused = False
        elif self._waits(task, spool.RESUME, task) and task.isPaused():
            self._module.unqueue(task)
            self._module.queue(task)

    def _reschedule(self, change: tuple[tuple[Any, ...], RecurringTask]) -> None:
        stored, task = change
        if not self._waits(task, spool.RESCHEDULE, change):
            return
        is_paused = task.isPaused()
        self._module.unqueue(task)
        task.setSchedule(unpacked(stored))
        task._retry_on = None
        self._module.queue(task)
        if is_paused and task.getStatus() == TASK_STATUS_QUEUED:
            self._move_to(task, NEVER_DUE)

    def _limit(self, change: tuple[str, tuple[Any, ...]]) -> None:
        name, limit = change
        self._module.backlog.limit(name, Limit(*limit))

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
        self._module.unqueue(task)
        self._module.wait(task, due)

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
        self._module.moveTask(task, status, TASK_STATUS_NONE, nocheck=True)
        if claim is not None:
            self.stopped.append(claim)
        now = nowutc()
        started = now if claim is None else min(now, moment(claim.since))
        task._abort(Attempt(task._tries + 1, started, now, TASK_STATUS_ABORTED, "cancelled"))
        self._module.shelve(task, now, TASK_STATUS_ABORTED)
        self._module.unique.release(task)
        self._note_in(task._group, task.getId() or 0, has_finished=False)
        self.has_more = True  # what undoes the steps before it, in a chain

    def _note_in(self, group: Group | None, tid: int, *, has_finished: bool) -> None:
        if group is not None:
            group._note(self._module._p_jar, tid, has_finished)
            self.has_more = True

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
        due, _ = self._fresh.pop(task._p_oid, (None, None))
        if due is not None:
            self._module.wait(task, due)
        # Its run may be committed while the worker's report is still on the way.
        claim = self._running.claim(task.getId() or 0)
        if claim is not None and task._settled >= claim.number:
            self.settle(outcome_of(task, claim))

    def _set_aside(self, obj: Any, error: Exception) -> None:
        thing = obj[1] if isinstance(obj, tuple) else obj
        if getattr(thing, "_p_oid", None) is not None and not _stands_somewhere(thing):
            self._module.set_aside(thing, f"{type(error).__name__}: {error}")


def _stands_somewhere(thing: Any) -> bool:
    return isinstance(thing, BaseTask) and thing._status != TASK_STATUS_SPOOLED


def _is_sound(task: BaseTask) -> bool:
    try:
        task.getDueOn()
    except Exception as error:
        if is_passing(error):
            raise
        log.info("what was set aside still cannot be loaded: %s", error)
        return False
    return True
