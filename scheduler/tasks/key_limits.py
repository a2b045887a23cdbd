"""The limits of a task's key: how many run at a time, and how many are started in a period."""

from __future__ import annotations

from scheduler.tasks.base import BaseTask
from scheduler.values.plain import plain
from scheduler.values.rate_limit import Limit


def check_key_limits(task: BaseTask, slot: object) -> None:
    """Raise ValueError where *task*, which waited in the stored *slot*, has wrong limits now."""
    if isinstance(slot, tuple) and slot[2:] not in ((), (None,)):
        key_limits_of(task)


def key_limits_of(task: BaseTask) -> Limit:
    """Return how many tasks with the key of *task* run at a time, and are started in a period.

    Raises ValueError for numbers that are none.
    """
    for name in ("keyLimit", "keyRate"):
        number = getattr(task, name)
        if number is not None and (not isinstance(number, int) or number < 1):
            raise ValueError(f"{name} is {number!r}; it must be a whole number from 1, or None")
    return Limit(plain(task.keyLimit), plain(task.keyRate), plain(task.keyPeriod)).checked()
