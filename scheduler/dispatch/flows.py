"""Flows: what becomes of the steps that follow one that has ended.

The end of a step is told to the chain or group that it is of, and to the steps that wait for
it; what those do then is done here, in the tick of the leader that settles the end.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from persistent import Persistent
from ZODB.utils import p64

from scheduler.clock import nowutc
from scheduler.dispatch.steps import Steps
from scheduler.inbox import spool
from scheduler.inbox.quarantine import is_quarantined
from scheduler.inbox.spool import Instruction
from scheduler.shelves.followers import (
    FAILED,
    FINISHED,
    OPEN,
    Course,
    Follower,
    Followers,
    followers_of,
)
from scheduler.shelves.module import SchedulerModule
from scheduler.states import (
    ENDED,
    TASK_STATUS_ABORTED,
    TASK_STATUS_FINISHED,
    TASK_STATUS_NONE,
    TASK_STATUS_QUEUED,
    WORDS,
)
from scheduler.store.missing_class import reason_of, why_unusable
from scheduler.tasks.attempt import Attempt
from scheduler.tasks.base import BaseTask
from scheduler.tasks.composite import Composite, Step, below, number_of
from scheduler.tasks.handle import StepHandle, TaskHandle
from scheduler.tasks.naming import title_of

log = logging.getLogger(__name__)


class Flows:
    """Goes on with the flows of *module*, in the transaction of the present tick.

    One act is done after the other, so that a flow may be of any depth; *perform* carries out
    instructions. A composite that cannot be read is set aside, and catches up when it can be.
    """

    def __init__(
        self, module: SchedulerModule, steps: Steps, perform: Callable[[Instruction], None]
    ) -> None:
        self._module = module
        self._steps = steps
        self._perform = perform
        self._acts: deque[Callable[[], None]] = deque()
        self._is_at_work = False

    # The end of a step, and its beginning

    def note_end(self, number: int, group: Composite | None, *, has_finished: bool) -> None:
        """Note that the step *number*, of *group* if it is of one, has ended."""
        if group is not None:
            self._tell(group, lambda: group.note(self, number, has_finished))
        state = FINISHED if has_finished else FAILED
        for follower in self._followers.note(number, state):
            self._do(partial(self._look_at, follower))

    def take_up(self, step: Step) -> None:
        """Note which steps *step* waits for, if it waits for any, and how those have ended."""
        prerequisites = StepHandle(step).prerequisites
        if prerequisites is None or number_of(step) in self._followers:
            return
        states = [(number_of(each), _state_of(each)) for each in prerequisites.steps()]
        self._followers.add(number_of(step), step, prerequisites.when, states)

    def look_after(self, step: Step) -> None:
        """Begin *step*, or end it, if the steps that it waits for have ended."""
        if number_of(step) in self._followers:
            self._do(partial(self._look_at, number_of(step)))

    def reopen(self, step: Step) -> None:
        """Have wait again what follows *step*, which is started again after it had ended."""
        rest = [step]
        while rest:
            for each in self._run_anew_with(rest.pop()):
                for number in self._followers.note(number_of(each), OPEN):
                    follower = self._follower(number)
                    self._look_at(number)
                    if follower.course is Course.WAITS:
                        rest.append(follower.step)

    def forget(self, step: Step) -> None:
        """Forget which steps *step* waits for."""
        self._module.forget_follower(step)

    def begin_again(self, composite: Composite) -> None:
        """Begin a composite: for the first time, or anew when it has ended."""
        self.take_up(composite)
        if composite.hasFinished() is not None:
            self.reopen(composite)
            composite.renew()
        if number_of(composite) in self._followers:
            self.look_after(composite)
        else:
            self.begin(composite)

    def catch_up(self, composite: Composite) -> None:
        """Tell *composite* which of its steps have ended while it could not be read."""
        for number in composite.awaited():
            state = _state_of(self._module._p_jar.get(p64(number)))
            if state != OPEN:
                has_finished = state == FINISHED
                self._tell(composite, partial(composite.note, self, number, has_finished))

    # Acts of composites (`scheduler.tasks.composite.Driver`)

    def begin(self, step: Step) -> None:
        """Enqueue a task, or begin a composite that is not at work."""
        if isinstance(step, BaseTask):
            StepHandle(step).begin(self._module._p_jar)
            self._steps.has_more = True
        else:
            self._tell(step, lambda: step.begin(self))

    def cancel(self, step: Step) -> None:
        """Cancel what is at work of *step*."""
        if isinstance(step, BaseTask):
            self._do(lambda: self._perform(Instruction(spool.CANCEL, step)))
        elif number_of(step) in self._followers and not StepHandle(step).is_begun:
            self._do(partial(self._end_unbegun, step))
        else:
            self._tell(step, lambda: step.cancel(self))

    def undo(self, composite: Composite) -> None:
        """Undo what has finished of *composite*."""
        self._tell(composite, lambda: composite.undo(self))

    def undone(self, composite: Composite) -> None:
        """Tell the composite of *composite* that this one is undone."""
        outer = StepHandle(composite).group
        if outer is not None:
            self._tell(outer, lambda: outer.note_undone(self, number_of(composite)))

    def ended(self, composite: Composite, has_finished: bool) -> None:
        """Note that *composite* has ended."""
        handle = StepHandle(composite)
        number = number_of(composite)
        log.info("%r has %s", composite, "finished" if has_finished else "failed")
        self.note_end(number, handle.group, has_finished=has_finished)
        if not has_finished and self._followers:
            for step in below(composite):
                if _state_of(step) == FAILED:  # also of those that were never begun
                    self.note_end(number_of(step), None, has_finished=False)
        upcoming = handle.linked(has_finished)
        if upcoming is not None:
            self.begin(upcoming)

    # Steps that wait for others

    def _look_at(self, number: int) -> None:
        """Go on with a follower; one that cannot be read is set aside, and stops no other."""
        follower = self._follower(number)

        def failed(error: Exception) -> None:
            reason = _why(follower.step, error)
            log.error("step %d cannot go on: %s", number, reason)
            self._module.set_unread_aside(follower.step, reason)

        self._steps.take(partial(self._go_on, follower), failed)

    def _go_on(self, follower: Follower) -> None:
        if isinstance(follower.step, Composite):
            self._look_at_composite(follower.step, follower.course)
        else:
            self._look_at_task(follower)

    def _look_at_task(self, follower: Follower) -> None:
        task, course = follower.step, follower.course
        status = task.getStatus()
        is_blocked = status == TASK_STATUS_QUEUED and task.isBlocked()
        if course is Course.WAITS:
            if status in ENDED:
                self._module.start_again(task, status)
            elif status == TASK_STATUS_QUEUED and not is_blocked and not task.isPaused():
                self._requeue(task)
        elif course is Course.RUNS and is_blocked:
            self._requeue(task)
        elif course is Course.ABORTED and status == TASK_STATUS_QUEUED:
            self._abort(task)
        elif course is Course.NOT_NEEDED and status == TASK_STATUS_QUEUED:
            self._perform(Instruction(spool.DELETE, task))

    def _look_at_composite(self, composite: Composite, course: Course) -> None:
        is_begun = StepHandle(composite).is_begun
        if course is Course.WAITS and composite.hasFinished() is not None:
            composite.renew()
        elif course is Course.RUNS and not is_begun and composite.hasFinished() is None:
            self.begin(composite)
        elif course is Course.ABORTED and not is_begun and composite.hasFinished() is None:
            self._end_unbegun(composite)
        elif course is Course.NOT_NEEDED:
            self.forget(composite)

    def _requeue(self, task: BaseTask) -> None:
        self._module.queues.remove(task)
        self._module.queue(task)

    def _end_unbegun(self, composite: Composite) -> None:
        composite.fail_unbegun()
        self.ended(composite, False)

    def _abort(self, task: BaseTask) -> None:
        why = self._reason(task)
        log.warning("task %s (%s) is aborted: %s", task.getId(), title_of(task), why)
        now, handle = nowutc(), TaskHandle(task)
        self._module.leave_shelf(task, TASK_STATUS_QUEUED)
        handle.abort(Attempt(handle.tries + 1, now, now, TASK_STATUS_ABORTED, why))
        self._module.shelve(task, now, TASK_STATUS_ABORTED)
        self._module.unique.release(task)
        self.note_end(number_of(task), handle.group, has_finished=False)

    def _reason(self, task: BaseTask) -> str:
        prerequisites = StepHandle(task).prerequisites
        steps = [] if prerequisites is None else prerequisites.steps()
        failed = next((each for each in steps if _state_of(each) == FAILED), None)
        if isinstance(failed, BaseTask):
            word = WORDS.get(failed.getStatus(), "gone")
            return f"task {failed.getId()}, which it waits for, is {word}"
        return f"{failed!r}, which it waits for, has failed"

    # A step that is started again

    def _run_anew_with(self, step: Step) -> Iterator[Step]:
        """Yield *step*, and the steps of its chains and groups that are run anew with it."""
        has_followers = bool(self._followers)
        yield from below(step) if has_followers else (step,)
        group = StepHandle(step).group
        while isinstance(group, Composite):
            later = group.reopen(step)
            if later is None:
                return
            for each in later if has_followers else ():
                yield from below(each)
            yield group
            step, group = group, StepHandle(group).group

    # One act after the other

    def _tell(self, composite: Any, act: Callable[[], None]) -> None:
        def failed(error: Exception) -> None:
            reason = _why(composite, error)
            log.error("%s cannot go on: %s", type(composite).__name__, reason)
            if isinstance(composite, Persistent) and composite._p_oid is not None:
                self._module.set_aside(composite, reason)

        self._do(lambda: self._steps.take(act, failed))

    def _do(self, act: Callable[[], None]) -> None:
        self._acts.append(act)
        if self._is_at_work:
            return
        self._is_at_work = True
        try:
            while self._acts:
                self._acts.popleft()()
        finally:
            self._is_at_work = False
            self._acts.clear()

    def _follower(self, number: int) -> Follower:
        follower = self._followers.get(number)
        if follower is None:
            raise KeyError(number)
        return follower

    @property
    def _followers(self) -> Followers:
        return followers_of(self._module._p_jar)


def _state_of(step: Step) -> int:
    """Return whether *step* is to be waited for, or how it has ended."""
    has_finished = step.hasFinished() if isinstance(step, Composite) else _has_finished(step)
    if has_finished is None:
        return FAILED if _will_never_begin(step) else OPEN
    return FINISHED if has_finished else FAILED


def _has_finished(task: BaseTask) -> bool | None:
    status = task.getStatus()
    if status == TASK_STATUS_NONE:
        return None if StepHandle(task).group is not None else False
    return status == TASK_STATUS_FINISHED if status in ENDED and not is_quarantined(task) else None


def _will_never_begin(step: Step) -> bool:
    """Say whether *step* is of a chain or group that has ended without it."""
    is_at_work = (
        StepHandle(step).is_begun
        if isinstance(step, Composite)
        else step.getStatus() != TASK_STATUS_NONE
    )
    group = StepHandle(step).group
    while group is not None and not is_at_work:
        if group.hasFinished() is not None:
            return True
        group = StepHandle(group).group
    return False


def _why(step: Any, error: Exception) -> str:
    return reason_of(error) if isinstance(step, BaseTask | Composite) else why_unusable(step)
