"""The place of a task that does not wait in the ordinary queue."""

from __future__ import annotations

from typing import NamedTuple

from scheduler.tasks.base import BaseTask


class Place(NamedTuple):
    """In which queue a task waits, with what priority, and for which key."""

    queue: str = ""
    priority: int = 0
    key: str | None = None


ORDINARY = Place()


def place_of(task: BaseTask) -> Place:
    """Return where *task* belongs, by what its class and itself say."""
    return Place(task.queueName, task.priority, task.limitKey())
