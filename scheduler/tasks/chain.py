"""Chains: steps that are run one after the other, each when the one before it has finished."""

from __future__ import annotations

from typing import Any

from scheduler.tasks.composite import Composite, Driver, Step, number_of


class TaskChain(Composite):
    """Steps that are run one after the other; each gets the results of the one before.

    A step is a task, a `TaskGroup` or another chain, or a pair of one and the step that undoes
    it should a later one fail. A step that fails for good, is cancelled or deleted ends the
    chain: the finished ones before it are undone, the nearest first, each when the one before
    is done. Raises TypeError for what is run again and again, and ValueError for a task that is
    enqueued or linked already, and for no step at all.

    Conflict behaviour: as `Composite`; a step that ends writes this small object alone.
    """

    _at = 0  # the position of the present step

    def __init__(self, *steps: Step | tuple[Step, Step]) -> None:
        if not steps:
            raise ValueError("a chain needs a step")
        super().__init__(steps)
        before: Step | None = None
        for step in self._members.values():
            step._after, before = before, step

    def getResult(self) -> Any:
        """Return the result of the last step; None before it has finished."""
        return self._members[self._members.maxKey()].getResult()

    def _inputs_of_next(self) -> list[Any]:
        inputs: list[Any] = self._members[self._members.maxKey()]._inputs_of_next()
        return inputs

    def pending(self) -> list[int]:
        """Return the number of the present step."""
        step = self._members.get(self._at) if self._is_begun else None
        return [] if step is None else [number_of(step)]

    def _begin(self, driver: Driver) -> None:
        self._at = 0
        driver.begin(self._members[0])

    def _note(self, driver: Driver, number: int, has_finished: bool) -> None:
        if [number] != self.pending():
            return
        if not has_finished:
            self._fail(driver)
            return
        self._note_finished(self._at)
        self._at += 1
        following = self._members.get(self._at)
        if following is None:
            self._finish(driver)
        elif self._is_cancelled:
            self._fail(driver)
        else:
            driver.begin(following)

    def _waits_for(self, step: Step) -> bool:
        return [number_of(step)] == self.pending()

    def _reopen(self, step: Step) -> list[Step]:
        self._at = step._position
        return list(self._members.values(self._at + 1))

    def _next_to_undo(self) -> list[int]:
        return [] if self._undoing or not self._to_undo else [self._to_undo.maxKey()]


def chain(*steps: Step | tuple[Step, Step]) -> TaskChain:
    """Return a chain of *steps*, for `Client.enqueue`, or as a step of another chain or group."""
    return TaskChain(*steps)
