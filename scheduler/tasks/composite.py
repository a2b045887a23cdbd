"""Composites: several steps that count as one, such as a chain or a group.

A composite is a small state machine. The scheduler tells it which of its steps have ended, and it
says what is to be done then: begin a step, cancel one, undo one, or tell its own composite that
it has ended itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol, TypeAlias, cast

from BTrees.IOBTree import IOBTree
from BTrees.LLBTree import LLTreeSet
from persistent import Persistent
from ZODB.utils import p64, u64

from scheduler.states import TASK_STATUS_NONE
from scheduler.tasks.base import BaseTask
from scheduler.tasks.bound import FollowingTask
from scheduler.tasks.flow_step import FlowStep
from scheduler.tasks.recurring import RecurringTask
from scheduler.tasks.size import refuse_script

UNDOES = -1
"""The position of a step that undoes another one, which is none of the composite's own."""


class Driver(Protocol):
    """Carries out for composites what is to be done with their steps."""

    def begin(self, step: Step) -> None:
        """Enqueue a task, or begin a composite."""

    def cancel(self, step: Step) -> None:
        """Cancel what is at work of *step*."""

    def undo(self, composite: Composite) -> None:
        """Undo what has finished of *composite*."""

    def ended(self, composite: Composite, has_finished: bool) -> None:
        """Take note that *composite* has ended."""

    def undone(self, composite: Composite) -> None:
        """Take note that *composite* is undone."""


class Composite(FlowStep, Persistent):
    """Several steps that count as one: each a task or another composite.

    Conflict behaviour: written by the client that enqueues it, and from then on by the
    scheduler's leader alone, which learns from each outcome that a step is over: attempts do
    not meet here.
    """

    _is_begun = False
    _is_cancelled = False
    _outcome: bool | None = None
    # None where there is nothing that could be undone.
    _undoers: IOBTree | None = None  # position -> the task that undoes a step, or the step itself
    _to_undo: IOBTree | None = None  # position -> the same, of steps that have finished
    _undoing: LLTreeSet | None = None  # numbers of the steps by which it is being undone

    def __init__(self, steps: Iterable[Step | tuple[Step, Step]]) -> None:
        pairs = list(map(_pair, steps))
        _check_all(pairs)
        self._members = IOBTree({at: step for at, (step, _) in enumerate(pairs)})
        undoers = {at: _undoer(step, undoing) for at, (step, undoing) in enumerate(pairs)}
        for at, (step, undoing) in enumerate(pairs):
            step._group, step._position = self, at
            if undoing is not None:
                undoing._group, undoing._position, undoing._after = self, UNDOES, step
        if any(undoers.values()):
            self._undoers = IOBTree({at: each for at, each in undoers.items() if each is not None})
            self._to_undo, self._undoing = IOBTree(), LLTreeSet()

    def getId(self) -> int | None:
        """Return the number of the object; None for one that is not in the database yet."""
        return None if self._p_oid is None else u64(self._p_oid)

    def getSteps(self) -> list[Step]:
        """Return the steps, in the order in which they were given."""
        return list(self._members.values())

    def hasFinished(self) -> bool | None:
        """Say whether it has finished, or not: it has failed; None while it has not ended."""
        return self._outcome

    def __repr__(self) -> str:
        return f"[{type(self).__name__}:{self.getId()}]"

    # The methods below are for the scheduler.

    def compensations(self) -> list[tuple[Step, Step]]:
        """Return the steps that have one with that which undoes each."""
        pairs = [(self._members[at], undoer) for at, undoer in (self._undoers or {}).items()]
        return [(step, undoer) for step, undoer in pairs if undoer is not step]

    def begin(self, driver: Driver) -> None:
        """Begin from the first step."""
        self._is_begun, self._is_cancelled, self._outcome = True, False, None
        self._begin(driver)

    def note(self, driver: Driver, number: int, has_finished: bool) -> None:
        """Note that the step *number* has ended; go on, if nothing else is waited for."""
        if self._undoing is None or number not in self._undoing:
            self._note(driver, number, has_finished)
        elif has_finished:
            self.note_undone(driver, number)

    def note_undone(self, driver: Driver, number: int) -> None:
        """Note that the step *number* is undone, or has undone another one."""
        if self._undoing is not None and number in self._undoing:
            self._undoing.remove(number)
            if not self._undoing:
                self.undo(driver)

    def note_failing(self, driver: Driver, number: int) -> None:
        """Note that the step *number* is going to fail, once it is undone."""

    def undo(self, driver: Driver) -> None:
        """Undo what has finished, in the order of this composite, and tell when that is done."""
        for at in self._next_to_undo() if self._to_undo else ():
            self._undo_step(driver, at)
        if not self._undoing:
            if self.hasFinished() is False:
                driver.ended(self, False)
            else:
                driver.undone(self)

    def cancel(self, driver: Driver) -> None:
        """Cancel what is at work; it fails then, whatever it does with failures otherwise."""
        if self._is_begun and self.hasFinished() is None:
            self._is_cancelled = True
            for number in self.pending():
                driver.cancel(self._p_jar.get(p64(number)))

    def reopen(self, step: Step) -> list[Step] | None:
        """Wait again for *step*, which is started again; return the steps that are run after it.

        Return None where it is waited for already, or undoes another one.
        """
        is_at_work = self._is_begun and self.hasFinished() is None and not self._is_cancelled
        if step._position == UNDOES or (is_at_work and self._waits_for(step)):
            return None
        self._is_begun, self._is_cancelled, self._outcome = True, False, None
        return self._reopen(step)

    def renew(self) -> None:
        """Be as one that was never begun."""
        self._is_begun, self._outcome = False, None

    def fail_unbegun(self) -> None:
        """End without having been begun."""
        self._outcome = False

    def awaited(self) -> list[int]:
        """Return the numbers of the steps whose end is waited for, of those that undo, too."""
        return [*self.pending(), *(self._undoing or ())]

    def pending(self) -> list[int]:
        """Return the numbers of the steps that are at work."""
        raise NotImplementedError(f"{type(self).__name__} does not override pending()")

    def _begin(self, driver: Driver) -> None:
        """Begin the steps that are first, by *driver*; overridden by chains and groups."""
        raise NotImplementedError(f"{type(self).__name__} does not override _begin()")

    def _note(self, driver: Driver, number: int, has_finished: bool) -> None:
        """Note the end of step *number*, and begin by *driver* what follows it; overridden."""
        raise NotImplementedError(f"{type(self).__name__} does not override _note()")

    def _waits_for(self, step: Step) -> bool:
        """Say whether the end of *step* is waited for now; overridden."""
        raise NotImplementedError(f"{type(self).__name__} does not override _waits_for()")

    def _reopen(self, step: Step) -> list[Step]:
        """Wait for *step* again, and return the steps behind it; overridden."""
        raise NotImplementedError(f"{type(self).__name__} does not override _reopen()")

    def _next_to_undo(self) -> list[int]:
        """Return the positions of the steps that are to be undone now."""
        raise NotImplementedError(f"{type(self).__name__} does not override _next_to_undo()")

    def _note_finished(self, at: int) -> None:
        """Note that the step at position *at* has finished, and may have to be undone."""
        undoer = None if self._undoers is None else self._undoers.get(at)
        if undoer is not None and self._to_undo is not None:
            self._to_undo[at] = undoer

    def _undo_step(self, driver: Driver, at: int) -> None:
        undoer = cast("IOBTree", self._to_undo).pop(at)
        cast("LLTreeSet", self._undoing).insert(number_of(undoer))
        if undoer is self._members[at]:
            driver.undo(undoer)
        else:
            driver.begin(undoer)

    def _finish(self, driver: Driver) -> None:
        self._outcome = True
        driver.ended(self, True)

    def _fail(self, driver: Driver) -> None:
        self._outcome = False
        if self._group is not None:
            self._group.note_failing(driver, number_of(self))
        self.undo(driver)


Step: TypeAlias = BaseTask | Composite


def number_of(step: Step) -> int:
    """Return the number of *step*, which is in the database."""
    return int(u64(step._p_oid))


def below(step: Step) -> Iterator[Step]:
    """Yield *step*, and all steps that it consists of, without those that undo."""
    rest = [step]
    while rest:
        each = rest.pop()
        yield each
        if isinstance(each, Composite):
            rest.extend(reversed(each.getSteps()))


def refuse_linked(step: Step) -> None:
    """Raise TypeError for what does not end for good, and ValueError for what has its place."""
    is_step = isinstance(step, BaseTask | Composite)
    if not is_step or isinstance(step, RecurringTask | FollowingTask):
        raise TypeError(_why_not(step))
    refuse_script(step)
    is_linked = any(each is not None for each in (step._group, step._after, step._follower))
    if is_linked or is_enqueued(step):
        raise ValueError(
            f"{step!r} is enqueued or linked already: a task has one place, in one chain or group"
        )


def _why_not(thing: object) -> str:
    if callable(thing):
        return f"{thing!r} is no step: declare it with @task, and give its step(...)"
    return f"{thing!r} cannot be a step: only what is run once comes to an end"


def is_enqueued(step: Step) -> bool:
    """Say whether *step* itself was enqueued."""
    if isinstance(step, Composite):
        return step._is_begun or step._p_oid is not None
    return step.getStatus() != TASK_STATUS_NONE


def _pair(step: Step | tuple[Step, Step]) -> tuple[Step, Step | None]:
    return step if isinstance(step, tuple) else (step, None)


def _check_all(pairs: list[tuple[Step, Step | None]]) -> None:
    seen: set[int] = set()
    for step in (each for pair in pairs for each in pair if each is not None):
        refuse_linked(step)
        if id(step) in seen:
            raise ValueError(f"{step!r} is given twice: a task has one place")
        seen.add(id(step))


def _undoer(step: Step, undoing: Step | None) -> Step | None:
    if undoing is None and isinstance(step, Composite) and step._undoers is not None:
        return step
    return undoing
