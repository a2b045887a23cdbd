"""The queues in which tasks wait: the ordinary one and the named ones, as one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from heapq import merge
from typing import Any

from ZODB.Connection import Connection

from scheduler.clock import nowutc
from scheduler.queue import PersistentWaitingQueue
from scheduler.shelves.conflict_stats import ConflictStats
from scheduler.shelves.named_queues import NamedQueues
from scheduler.shelves.queue_slot import ORDINARY, QueueSlot, slot_of
from scheduler.tasks.base import BaseTask
from scheduler.tasks.handle import TaskHandle
from scheduler.tasks.naming import name_of


class Queues:
    """The waiting tasks of one database; the slot of a task says in which queue it stands.

    For the scheduler, the only writer of the queues.
    """

    def __init__(
        self,
        connection: Connection,
        ordinary: PersistentWaitingQueue,
        named: NamedQueues,
        conflicts: ConflictStats,
    ) -> None:
        self._connection = connection
        self._ordinary = ordinary
        self._named = named
        self._conflicts = conflicts

    def __iter__(self) -> Iterator[tuple[int, Any]]:
        """Yield (second, task) for each task: in the ordinary queue, then in the others."""
        yield from self._ordinary
        yield from self._named

    def __len__(self) -> int:
        """Return how many tasks wait."""
        return len(self._ordinary) + len(self._named)

    def add(self, task: BaseTask, due: float) -> None:
        """Move *task* to QUEUED, to be due at *due* (since 1970), and put it in its queue."""
        if task._p_oid is None:
            self._connection.add(task)  # the queue orders tasks by their numbers
        slot = self.slot_of(task)
        handle = TaskHandle(task)
        handle.queue(due)
        if slot != ORDINARY or handle.slot:
            handle.slot = () if slot == ORDINARY else tuple(slot)
        self.put_back(task, due, slot)

    def slot_of(self, task: BaseTask) -> QueueSlot:
        """Return where *task* is to wait: by its class, itself and the conflicts of its class."""
        slot = slot_of(task)
        if slot.key is not None or not self._conflicts.has_serialized():
            return slot
        key = self._conflicts.serial_key(name_of(task), nowutc().timestamp())
        return slot if key is None else slot._replace(key=key)

    def put_back(self, task: Any, due: float, slot: QueueSlot) -> None:
        """Put *task*, which bears that it waits, in its queue again; it need not be loaded."""
        if slot == ORDINARY:
            self._ordinary.enqueue(due, task)
        else:
            self._named.enqueue(due, task, slot)

    def remove(self, task: BaseTask) -> None:
        """Take *task* out of the queue that it waits in; KeyError if it does not."""
        handle = TaskHandle(task)
        if handle.slot:
            self._named.dequeue(handle.queued_for, task, QueueSlot(*handle.slot))
        else:
            self._ordinary.dequeue(handle.queued_for, task)

    def has(self, task: BaseTask) -> bool:
        """Return whether *task* stands in the queue where it says itself that it does."""
        handle = TaskHandle(task)
        if handle.slot:
            return self._named.has(handle.queued_for, task, QueueSlot(*handle.slot))
        return self._ordinary.has(handle.queued_for, task)

    def discard_unread(self, task: Any) -> bool:
        """Take *task*, which cannot be loaded, out of the queues, which are searched through.

        Return whether it was there.
        """
        return self._ordinary.discard(task) or self._named.discard(task)

    def behind(
        self, position: tuple[Any, ...] | None, name: str | None
    ) -> Iterator[tuple[int, Any, str]]:
        """Yield (microseconds, task, name of its queue), the next one first, behind *position*.

        Parked tasks are left out; the others, too, that are not in the queue *name*, if given.
        """
        queues = [("", self._ordinary)] if name in (None, "") else []
        queues += self._named.named(name)
        return merge(*(_behind(queue, position, each) for each, queue in queues))

    def next_due(self, caps: Mapping[str, int]) -> float | None:
        """Return when the next task that can run is due; *caps* as in `NamedQueues.take`."""
        dues = (self._ordinary.next_due(), self._named.next_due(nowutc().timestamp(), caps))
        return min((due for due in dues if due is not None), default=None)


def _behind(
    queue: PersistentWaitingQueue, position: tuple[Any, ...] | None, name: str
) -> Iterator[tuple[int, Any, str]]:
    return ((due, task, name) for due, task in queue.behind(position))
