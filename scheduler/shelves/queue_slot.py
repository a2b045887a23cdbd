"""The place of a task that does not wait in the ordinary queue."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from scheduler.tasks.base import BaseTask
from scheduler.tasks.key_limits import key_limits_of
from scheduler.values.plain import plain


class QueueSlot(NamedTuple):
    """In which queue a task waits, with what priority, and for which key."""

    queue: str = ""
    priority: int = 0
    key: str | None = None


ORDINARY = QueueSlot()


def slot_of(task: BaseTask) -> QueueSlot:
    """Return where *task* belongs, by what its class and itself say.

    Raises TypeError or ValueError for a queue, priority or key that is none.
    """
    queue, priority, key = task.queueName, task.priority, task.limitKey()
    if type(priority) is not int:
        priority = _number(priority, "priority")
    if key is None:
        return QueueSlot(plain_text(queue, "queueName"), priority)
    key_limits_of(task)
    return QueueSlot(plain_text(queue, "queueName"), priority, plain_text(key, "limitKey()"))


def stored_slot(stored: Any) -> QueueSlot:
    """Return the slot that a task bears as *stored*; TypeError where that is none."""
    slot = QueueSlot(*stored)
    plain_text(slot.queue, "the queue of its slot")
    _number(slot.priority, "the priority of its slot")
    if slot.key is not None:
        plain_text(slot.key, "the key of its slot")
    return slot


def plain_text(value: Any, name: str) -> str:
    """Return *value* as a plain string; TypeError naming it where it is none.

    A member of an enumeration becomes its value: what is stored is read by later releases.
    """
    if not isinstance(value, str):
        raise TypeError(f"{name} is {value!r}; it must be a text")
    text: str = plain(value)
    return text


def _number(value: Any, name: str) -> int:
    if not isinstance(value, int | float) or not math.isfinite(value):
        raise TypeError(f"{name} is {value!r}; it must be a finite number")
    return int(value) if isinstance(value, int) else value  # type: ignore[return-value]


def paused_queue(name: str | None) -> str | None:
    """Return the *name* of the queue that an instruction about pauses is for; None for all."""
    if name == "":
        raise ValueError("the ordinary queue has no name: pause the scheduler, or a named queue")
    return None if name is None else plain_text(name, "the queue")
