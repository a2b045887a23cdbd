"""Prerequisites: the steps that must have ended before another one is begun."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal, TypeAlias

from BTrees.IOBTree import IOBTree
from persistent import Persistent

from scheduler.states import TASK_STATUS_NONE
from scheduler.tasks.base import BaseTask
from scheduler.tasks.composite import Composite, Step
from scheduler.tasks.recurring import RecurringTask

When: TypeAlias = Literal["finished", "failed", "ended"]

WHEN = ("finished", "failed", "ended")

# Up to so many steps stand in the record of the prerequisites themselves.
FEW = 50


class Prerequisites(Persistent):
    """The steps that another one waits for, and *when* it is begun.

    "finished": when all have finished; "failed": when one has ended without having finished;
    "ended": when all have ended, however. ValueError for another word, and for a step that
    nobody has enqueued; TypeError for what comes back.

    Conflict behaviour: never changed. The leader keeps elsewhere which of the steps have ended
    (`scheduler.shelves.followers`), so that a step of a worker never meets it.
    """

    def __init__(self, steps: Iterable[Step], when: When) -> None:
        if when not in WHEN:
            raise ValueError(f"when is {when!r}; it must be one of {', '.join(WHEN)}")
        given = tuple(dict.fromkeys(steps))
        for step in given:
            _check(step)
        self.when = when
        self._steps = given if len(given) <= FEW else IOBTree(dict(enumerate(given)))

    def steps(self) -> list[Step]:
        """Return the steps, in the order in which they were given."""
        return list(self._steps if isinstance(self._steps, tuple) else self._steps.values())

    def _inputs_of_next(self) -> list[Any]:
        return [step.getResult() for step in self.steps()]


def _check(step: Step) -> None:
    if isinstance(step, RecurringTask) or not isinstance(step, BaseTask | Composite):
        raise TypeError(f"{step!r} cannot be waited for: only what is run once comes to an end")
    is_known = step._p_jar is not None and (
        step._group is not None
        or isinstance(step, Composite)
        or step.getStatus() != TASK_STATUS_NONE
    )
    if not is_known:
        raise ValueError(
            f"{step!r} is not enqueued: enqueue a task before what waits for it (there are no "
            "circles then)"
        )
