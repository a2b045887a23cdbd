"""Unique keys: which task has which, so that there are not two of a kind."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from BTrees.OOBTree import OOBTree, OOTreeSet
from persistent import Persistent

from scheduler import states
from scheduler.clock import within_calendar
from scheduler.shelves.queue_slot import plain_text
from scheduler.storage.outage import is_transient
from scheduler.store.missing_class import reason_of
from scheduler.tasks.base import BaseTask
from scheduler.tasks.handle import TaskHandle
from scheduler.tasks.options import option_of

log = logging.getLogger(__name__)


class UniqueKeys(Persistent):
    """The holders of unique keys (`BaseTask.uniqueKey`); written by the scheduler alone."""

    def __init__(self) -> None:
        self._holders = OOBTree()  # key -> the task that has it
        self._until = OOTreeSet()  # of (since 1970, key), for the keys held for a period

    def admit(self, task: BaseTask, now: float, replace: Callable[[BaseTask], None]) -> bool:
        """Give *task* its key, if it has one and nobody else holds it at *now* (since 1970).

        *replace* is called with a waiting holder that is to make room.
        """
        key = _key_of(task)
        if key is None:
            return True
        holder = self._holders.get(key)
        if holder is not None and holder is not task and _holds(holder, task, now):
            if not task.uniqueReplaces or holder.getStatus() != states.TASK_STATUS_QUEUED:
                return False
            replace(holder)
            TaskHandle(task).take_place_of(holder)
        self._holders[key] = task
        if task.uniqueFor:
            self._until.insert((within_calendar(now + task.uniqueFor), key))
        return True

    def release(self, task: BaseTask) -> None:
        """Take its key from *task*, which has ended, unless that is held for a period."""
        if not self._holders or type(task).uniqueKey is BaseTask.uniqueKey:
            return  # nothing of the task itself has to be loaded
        if option_of(task, "uniqueFor"):
            return
        key = _key_of(task)
        if key is None or self._holders.get(key) is not task:
            return
        if task.getStatus() not in task.uniqueStates:
            del self._holders[key]

    def holder(self, key: str) -> BaseTask | None:
        """Return the task that holds *key*; None where nobody does."""
        task: BaseTask | None = self._holders.get(key)
        return task

    def tend(self, now: float) -> None:
        """Forget the keys whose period is over at *now*, and whose holders have ended."""
        over = list(self._until.keys(max=(now,)))
        for entry in over:
            self._until.remove(entry)
            holder = self._holders.get(entry[1])
            if holder is not None and not _holds(holder, holder, now):
                del self._holders[entry[1]]

    def __len__(self) -> int:
        return len(self._holders)


def _key_of(task: BaseTask) -> str | None:
    key = task.uniqueKey()
    return None if key is None else plain_text(key, "uniqueKey()")


def _holds(holder: Any, task: Any, now: float) -> bool:
    """Return whether *holder* keeps the key at *now* that *task* asks for."""
    if not isinstance(holder, BaseTask):
        return False  # its class is gone
    try:
        return holder.getStatus() in task.uniqueStates or _is_young(holder, now)
    except Exception as error:
        if is_transient(error):
            raise
        log.warning("a unique key is free: its holder cannot be read: %s", reason_of(error))
        return False


def _is_young(holder: BaseTask, now: float) -> bool:
    return now - holder.createdOn.timestamp() < holder.uniqueFor
