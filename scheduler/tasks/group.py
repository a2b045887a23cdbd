"""Groups: steps that are run in any order, and after all of them what follows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from BTrees.LLBTree import LLBTree, LLTreeSet
from ZODB.utils import p64

from scheduler.tasks.composite import Composite, Driver, Step, number_of

POLICIES = ("stop", "cancel", "continue")


class TaskGroup(Composite):
    """Steps that are run in any order: tasks, chains, other groups, or pairs as in a chain.

    *onFailure* says what becomes of the rest when a step fails for good, is cancelled or
    deleted: "stop": the others are run, what follows is not; "cancel": the others are cancelled,
    too; "continue": what follows is run all the same. When a group fails, those of its finished
    steps are undone that were given as pairs. Raises ValueError for another policy, and for a
    task that is enqueued or linked already; TypeError for tasks that come back.
    """

    _positions: LLBTree | None = None  # number of a step -> its position

    def __init__(
        self,
        tasks: Iterable[Step | tuple[Step, Step]],
        onFailure: Literal["stop", "cancel", "continue"] = "stop",
    ) -> None:
        if onFailure not in POLICIES:
            raise ValueError(f"onFailure is {onFailure!r}; it must be one of {', '.join(POLICIES)}")
        super().__init__(tasks)
        self.onFailure = onFailure
        self._pending = LLTreeSet()  # numbers of the steps that have not come to an end
        self._failed = LLTreeSet()  # numbers of those that have, without having finished

    def getTasks(self) -> list[Step]:
        """Return the steps, in the order in which they were given."""
        return self.getSteps()

    def getResult(self) -> list[Any]:
        """Return the results of the steps, in order; None for one that has not finished."""
        return [step.getResult() for step in self._members.values()]

    def getStatus(self) -> dict[str, int]:
        """Return how many of the steps are pending, have failed, and have finished.

        All are 0 before the group has its turn.
        """
        if not self._is_begun:
            return {"pending": 0, "failed": 0, "finished": 0}
        pending, failed = len(self._pending), len(self._failed)
        finished = len(self._members) - pending - failed
        return {"pending": pending, "failed": failed, "finished": finished}

    def hasFinished(self) -> bool | None:
        """Say whether it has finished, or not: it has failed; None while it has not ended."""
        if self._outcome is None and self._is_begun and not self._pending:
            return self._is_success()  # of a group that ended in the first layout
        return self._outcome

    def _inputs_of_next(self) -> list[Any]:
        return self.getResult()

    def pending(self) -> list[int]:
        """Return the numbers of the steps that have not come to an end."""
        return list(self._pending)

    def note_failing(self, driver: Driver, number: int) -> None:
        """Cancel the rest at once, if a failure means that."""
        if self.onFailure == "cancel" and not self._is_cancelled:
            self._cancel_rest(driver, number)

    def _begin(self, driver: Driver) -> None:
        members = self._members
        numbers = {number_of(step): at for at, step in members.items()}
        self._failed.clear()
        self._pending.update(numbers)
        if self._undoers is not None:
            self._positions = LLBTree(numbers)
        for step in members.values():
            driver.begin(step)
        if not numbers:
            self._finish(driver)

    def _note(self, driver: Driver, number: int, has_finished: bool) -> None:
        if number in self._pending:
            self._pending.remove(number)
        elif number not in self._failed or not has_finished:
            return
        if has_finished:
            self._failed.discard(number)
            if self._positions is not None:
                self._note_finished(self._positions[number])
        else:
            self._failed.insert(number)
            self.note_failing(driver, number)
        if not self._pending:
            (self._finish if self._is_success() else self._fail)(driver)

    def _is_success(self) -> bool:
        return not self._is_cancelled and (not self._failed or self.onFailure == "continue")

    def _cancel_rest(self, driver: Driver, number: int) -> None:
        for each in self.pending():
            if each != number:
                driver.cancel(self._p_jar.get(p64(each)))

    def _waits_for(self, step: Step) -> bool:
        return number_of(step) in self._pending

    def _reopen(self, step: Step) -> list[Step]:
        self._failed.discard(number_of(step))
        self._pending.add(number_of(step))
        return []

    def _next_to_undo(self) -> list[int]:
        return list(self._to_undo or ())
