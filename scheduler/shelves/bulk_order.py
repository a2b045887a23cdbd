"""Bulk orders: the cancelling, retrying, deleting or moving of all tasks that a filter chooses."""

from __future__ import annotations

from datetime import datetime
from itertools import islice
from typing import Any, NamedTuple

from scheduler.clock import nowutc
from scheduler.inbox import spool
from scheduler.inbox.spool import Instruction, Spool
from scheduler.shelves.shelved import Position, Shelved
from scheduler.shelves.task_filter import TaskFilter
from scheduler.states import STATES

CANCEL, RETRY, DELETE, MOVE, PRIORITIZE = "cancel", "retry", "delete", "move", "prioritize"
LOOKED_AT = 1000
AT_WORK = ("running", "waiting", "paused", "blocked", "spooled")
DEFAULT_STATES: dict[str, tuple[str, ...]] = {
    CANCEL: AT_WORK,
    RETRY: ("failed", "terminated", "quarantined"),
    DELETE: tuple(state for state in STATES if state != "running"),
    MOVE: ("waiting", "spooled"),
    PRIORITIZE: ("waiting", "paused", "spooled"),
}
"""By what is done, the states of the tasks with which it is done if the filter names none."""

STATES_ALLOWED = {
    **DEFAULT_STATES,
    RETRY: (*DEFAULT_STATES[RETRY], "aborted"),
    DELETE: STATES,
    MOVE: ("waiting", "paused", "blocked", "quarantined"),
    PRIORITIZE: ("waiting", "paused", "blocked"),
}


class BulkOrder(NamedTuple):
    """An order: which tasks are to be changed in which way, and how far that has come."""

    verb: str
    criteria: tuple[Any, ...]
    date: datetime | None
    """Where the tasks are moved to."""

    ordered: datetime
    """When it was ordered: tasks that were made, or have ended, since then are not meant."""

    behind: Position | None = None
    """The position of the last task that was looked at."""

    done: int = 0
    """How many tasks were found so far."""

    priority: int = 0
    """The priority that they are given."""

    @classmethod
    def of(
        cls, verb: str, chosen: TaskFilter, date: datetime | None = None, priority: int = 0
    ) -> BulkOrder:
        """Return the order; ValueError where tasks in the state of the filter cannot be so."""
        if chosen.state is not None and chosen.state not in STATES_ALLOWED[verb]:
            raise ValueError(
                f"tasks that are {chosen.state} are not to {verb}: "
                f"give a state of {', '.join(STATES_ALLOWED[verb])}"
            )
        return cls(verb, chosen.packed(), date, nowutc(), priority=priority)

    @property
    def filter(self) -> TaskFilter:
        """The filter that chooses the tasks."""
        return TaskFilter(*self.criteria)

    def means(self, found: Shelved) -> bool:
        """Return whether the order is about the task *found*, rather than about an occurrence."""
        chosen = self.filter
        if not (found.is_task and chosen.allows(found)):
            return False
        state = found.state
        if chosen.state is None and state not in DEFAULT_STATES[self.verb]:
            return False
        if state == "quarantined":
            return found.date is None or found.date <= self.ordered
        is_older = found.task.createdOn <= self.ordered
        return is_older and (state in AT_WORK or found.date is None or found.date <= self.ordered)

    def instruction(self, found: Shelved) -> Instruction:
        """Return the instruction that carries the order out for the task *found*."""
        if self.verb == MOVE:
            return Instruction(spool.CHANGE, (self.date, found.task))
        if self.verb == PRIORITIZE:
            return Instruction(spool.PRIORITIZE, (self.priority, found.task))
        if self.verb == RETRY and found.state == "quarantined":
            return Instruction(spool.RECLAIM, found.position[-1])
        return Instruction(_OPERATIONS[self.verb], found.task)


def orders_in(spooled: Spool) -> list[BulkOrder]:
    """Return the orders that are to be carried out, or have begun to be, oldest first.

    Those behind very many other instructions are not looked for.
    """
    instructions = islice(spooled, LOOKED_AT)
    return [BulkOrder(*obj) for operation, obj in instructions if operation == spool.BULK]


_OPERATIONS = {CANCEL: spool.CANCEL, RETRY: spool.ADD, DELETE: spool.DELETE}
