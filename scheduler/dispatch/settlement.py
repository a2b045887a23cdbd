"""The settlement of outcomes: a task that comes back from a worker goes on its next shelf."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import Any

from scheduler.clock import nowutc
from scheduler.dispatch.claiming import Claiming
from scheduler.dispatch.release import Release
from scheduler.dispatch.signalling import Signalling
from scheduler.dispatch.steps import Steps
from scheduler.errors import WorkerLost
from scheduler.executors import Lost
from scheduler.inbox.claims import Claim
from scheduler.inbox.spool import Instruction
from scheduler.runtime.context import ProgressReport
from scheduler.runtime.hook_registry import REGISTRY
from scheduler.shelves.figures import EndedAttempt
from scheduler.shelves.module import SchedulerModule
from scheduler.states import (
    TASK_STATUS_FAILED,
    TASK_STATUS_FINISHED,
    TASK_STATUS_NONE,
    TASK_STATUS_TERMINATED,
)
from scheduler.storage.internals import reader_of
from scheduler.store.missing_class import reason_of
from scheduler.tasks.attempt import Attempt, moment
from scheduler.tasks.base import BaseTask
from scheduler.tasks.handle import TaskHandle
from scheduler.tasks.naming import name_of
from scheduler.tasks.occurrence import TaskOccurrence
from scheduler.tasks.recurring import RecurringTask
from scheduler.worker.ending import Ending
from scheduler.worker.failure import fail, named, terminate
from scheduler.worker.measure import Measure, seconds_waited
from scheduler.worker.outcome import Outcome, check_claim, outcome_of

log = logging.getLogger(__name__)


class Settlement:
    """Settles the outcomes of claims, in the transaction of the present tick.

    *perform* carries out the instructions that were postponed until the end of an attempt.
    """

    def __init__(
        self,
        module: SchedulerModule,
        steps: Steps,
        claiming: Claiming,
        release: Release,
        perform: Callable[[Instruction], None],
    ) -> None:
        self._module = module
        self._running = module.running
        self._steps = steps
        self._claiming = claiming
        self._release = release
        self._signalling = Signalling(module, steps)
        self._perform = perform
        self._now = nowutc()
        self.ended: list[EndedAttempt] = []
        """The attempts that were settled, for the figures."""
        self.measures: list[Measure] = []
        """The attempts of the outcomes that are settled, and of workers that are lost."""
        self.conflicts: list[tuple[str, int]] = []
        """The name of each task whose attempt conflicted, and how often it did."""

    def settle(self, outcome: Outcome) -> None:
        """Put a task that comes back from a worker on its next shelf.

        The outcome of a claim that is no longer in force is dropped: its worker was given up
        for lost.
        """
        tid = outcome.claim.tid
        if self._running.claim(tid) != outcome.claim:
            log.warning("an outcome of task %d came too late", tid)
            return
        if outcome.measure is not None:
            self.measures.append(outcome.measure)
        if outcome.unloadable:
            self._quarantine(tid, outcome.unloadable)
        else:
            self._steps.take(
                lambda: self._settle(outcome), lambda error: self._quarantine(tid, reason_of(error))
            )

    def catch_up(self, task: BaseTask) -> None:
        """Bring *task* up to date: in its queue, and settled if its attempt is committed."""
        self._claiming.queue(task)
        # Its attempt may be committed while the worker's report is still on the way.
        claim = self._running.claim(task.getId() or 0)
        if claim is not None and TaskHandle(task).settled == claim.number:
            self.settle(outcome_of(task, claim))

    def rescue(self, lost: Lost, max_tries: int) -> None:
        """Settle a claim whose worker is lost.

        An attempt that was committed counts. Another one is fenced off, and ends as *lost* says.
        """
        claim = lost.claim
        if self._running.claim(claim.tid) != claim:
            return

        def outcome() -> Outcome:
            task = self._module.getTaskById(claim.tid)
            check_claim(claim, task)
            if TaskHandle(task).settled < claim.number:
                self._fence(task, lost, max_tries)
            return outcome_of(task, claim)

        def unread(error: Exception) -> Outcome:
            return Outcome(claim, unloadable=reason_of(error))

        self.settle(self._steps.take(outcome, unread))

    def put_back(self, claim: Claim) -> None:
        """Put a task that no worker had begun back into the waiting queue."""
        if self._running.claim(claim.tid) == claim:
            self._steps.take(
                lambda: self._put_back(claim),
                lambda error: self._quarantine(claim.tid, reason_of(error)),
            )

    def perform_postponed(self, tid: int) -> None:
        """Carry out the instructions about task *tid* that were kept until its attempt ended."""
        for op, obj in self._module.take_postponed(tid):
            self._perform(Instruction(op, obj))

    def note_progress(self, progress: ProgressReport) -> None:
        """Show clients the *progress* of an attempt."""
        self._running.note_progress(*progress)

    def _settle(self, outcome: Outcome) -> None:
        tid = outcome.claim.tid
        element = self._ended(outcome)
        task = self._running.remove(tid)
        self._note(outcome)
        if outcome.conflict is not None:
            now = self._now.timestamp()
            self._module.conflicts.note(name_of(task), *outcome.conflict, now)
            self.conflicts.append((name_of(task), outcome.conflict.times))
        is_leaving = self._module.stop_leaving(tid)
        is_put_off = outcome.shelf is None and outcome.due is not None and not is_leaving
        slot = self._module.backlog.release(
            tid, keeps_key=is_put_off and not isinstance(task, RecurringTask)
        )
        if outcome.shelf is not None and outcome.shelf != TASK_STATUS_NONE:
            self._module.shelve(element, outcome.ended or nowutc(), outcome.shelf)
        if outcome.due is not None and not is_leaving:
            # The task bears the date already: it is not loaded here, nor written again.
            self._module.queues.put_back(task, outcome.due.timestamp(), slot)
            if outcome.signal:
                self._signalling.wait(task, outcome.signal)
            self.perform_postponed(tid)
            return
        if outcome.due is not None:
            TaskHandle(task).forget()
        self._release.free_key(task)
        group = None if outcome.group is None else self._module._p_jar.get(outcome.group)
        has_finished = outcome.shelf == TASK_STATUS_FINISHED
        self._release.flows.note_end(tid, group, has_finished=has_finished)
        self.perform_postponed(tid)

    def _note(self, outcome: Outcome) -> None:
        measure = outcome.measure
        if measure is None:
            ended = outcome.ended or self._now
            made = EndedAttempt(outcome.shelf, ended.timestamp() - outcome.claim.since)
        else:
            made = EndedAttempt(outcome.shelf, measure.ran, measure.waited, measure.committed)
        self.ended.append(made)

    def _ended(self, outcome: Outcome) -> Any:
        if outcome.shelf is None or outcome.unloadable:
            return None
        task = self._running.task(outcome.claim.tid)
        if outcome.element is None:
            return TaskHandle(task).ended_element()
        if outcome.element == task._p_oid:
            return task
        # Not by `get`, which would load it to see what it is.
        return reader_of(self._module._p_jar).load_persistent(outcome.element, TaskOccurrence)

    def _quarantine(self, tid: int, reason: str) -> None:
        task = self._running.remove(tid)
        self._module.backlog.release(tid)
        if self._module.stop_leaving(tid):
            log.warning("task %d is deleted unread: %s", tid, reason)
            self._release.flows.note_end(tid, None, has_finished=False)
        elif task is not None:
            log.error("task %d is quarantined: %s", tid, reason)
            self._module.set_aside(task, reason)
        self.perform_postponed(tid)

    def _announce(self, ending: Ending) -> None:
        """Log *ending* now; hooks hear of it after the commit."""
        ending.announce(partial(REGISTRY.call_after_commit, self._module._p_jar))

    def _put_back(self, claim: Claim) -> None:
        self._module.backlog.release(claim.tid)
        self._module.queues.add(self._running.remove(claim.tid), claim.since)
        self.perform_postponed(claim.tid)

    def _fence(self, task: BaseTask, lost: Lost, max_tries: int) -> None:
        now = nowutc()
        self._steps.has_more = True  # the end of a task may enqueue the next one of its chain
        started = min(now, moment(lost.claim.since))
        handle = TaskHandle(task)
        handle.settle(lost.claim.number)
        waited = seconds_waited(task, started)
        attempt = Attempt(
            *(handle.tries + 1, started, now, lost.state, lost.why),
            worker=lost.worker,
            log=handle.lines_of(lost.claim.number),
            waited=round(waited, 3),
        )
        measure = Measure(
            *(name_of(task), task.queueName, attempt.number, waited, attempt.duration), lost=True
        )
        if lost.state == TASK_STATUS_FAILED:
            self._announce(
                fail(task, attempt, WorkerLost(lost.why), max_tries)._replace(error=None)
            )
        elif lost.state == TASK_STATUS_TERMINATED:
            self._announce(terminate(task, attempt))
        else:
            log.warning("%s is run again: %s", named(task), lost.why)
            handle.delay(attempt, now.timestamp())
        self.measures.append(measure.ended(task, outcome_of(task, lost.claim).shelf))
