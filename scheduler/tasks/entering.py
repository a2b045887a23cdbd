"""Entering: steps are given to the scheduler in the transaction of a client."""

from __future__ import annotations

from collections.abc import Iterable

from ZODB.Connection import Connection

from scheduler.inbox.spool import ADD, ENDED, spool_of
from scheduler.runtime.origin import enqueued_by
from scheduler.states import TASK_STATUS_NONE
from scheduler.tasks.base import BaseTask
from scheduler.tasks.composite import Composite, Step, below, is_enqueued, number_of, refuse_linked
from scheduler.tasks.prerequisites import Prerequisites, When


def enter(step: Step, connection: Connection) -> None:
    """Give a task or a composite to the scheduler, in the current transaction of *connection*.

    All tasks have their numbers then, and their sizes are checked. A step that was
    entered before is begun again by the scheduler.
    """
    if isinstance(step, BaseTask):
        step._enter(connection)
    elif is_enqueued(step):
        spool_of(connection).put(ADD, step)
    else:
        _register(step, connection)
        _Entry(connection).take(step)


def enter_after(
    step: Step, prerequisites: Iterable[Step], when: When, connection: Connection
) -> None:
    """Give *step* to the scheduler, to be begun when its *prerequisites* have ended so.

    Raises ValueError for a step that is enqueued or linked already.
    """
    refuse_linked(step)
    step._after = Prerequisites(prerequisites, when)
    if isinstance(step, BaseTask):
        step._enter(connection)
    else:
        _register(step, connection)
        spool_of(connection).put(ADD, step)


def refuse_inner(step: Step) -> None:
    """Raise ValueError for a step whose turn comes in its chain or group, and has not come yet."""
    group = step._group
    is_to_come = isinstance(step, BaseTask) and step.getStatus() == TASK_STATUS_NONE
    if group is not None and group.hasFinished() is None and is_to_come:
        raise ValueError(f"{step!r} is a step of {group!r}, and begun in its turn: enqueue that")


def _register(composite: Composite, connection: Connection) -> None:
    rest: list[Step] = [composite]
    while rest:
        for step in below(rest.pop()):
            if isinstance(step, BaseTask):
                _register_task(step, connection)
            else:
                connection.add(step)
                rest.extend(undoing for _, undoing in step.compensations())


def _register_task(task: BaseTask, connection: Connection) -> None:
    before = task._after
    if isinstance(before, BaseTask):
        with enqueued_by(task=number_of(before)):
            task._register(connection)
    else:
        task._register(connection)


class _Entry:
    """Begins the first steps of a composite: the rest is for the scheduler."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._rest: list[Step] = []

    def take(self, composite: Composite) -> None:
        """Begin *composite* and what it begins with, however deep."""
        self._rest.append(composite)
        while self._rest:
            step = self._rest.pop()
            if isinstance(step, BaseTask):
                step._begin(self._connection)
            else:
                step.begin(self)

    def begin(self, step: Step) -> None:
        """Begin *step* after what is being begun now."""
        self._rest.append(step)

    def ended(self, composite: Composite, has_finished: bool) -> None:
        """Tell the scheduler of a composite that has no step: it has finished at once."""
        spool_of(self._connection).put(ENDED, (composite, has_finished))

    def cancel(self, step: Step) -> None:
        """Not here: nothing has run of what is enqueued now, so nothing is cancelled."""
        raise NotImplementedError("the scheduler alone cancels steps")

    def undo(self, composite: Composite) -> None:
        """Not here, either: nothing has finished that could be undone."""
        raise NotImplementedError("the scheduler alone undoes composites")

    def undone(self, composite: Composite) -> None:
        """Not here, either."""
        raise NotImplementedError("the scheduler alone undoes composites")
