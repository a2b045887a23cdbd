"""The waiting tasks with a named queue, a priority or a limit key, and the slots of running ones.

A task whose queue is full stays there and is not read. A due task whose key is taken is parked,
and gets back into its queue when the key is free. So a task that waits for a slot delays no
others, and costs nothing while it waits.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, NamedTuple

from BTrees.Length import Length
from BTrees.LOBTree import LOBTree
from BTrees.OOBTree import OOBTree
from persistent import Persistent
from ZODB.utils import u64

from scheduler.clock import nowutc, within_calendar
from scheduler.queue import MICROSECONDS, PersistentWaitingQueue, TimeOrder, microseconds
from scheduler.shelves.key_rates import KeyRates
from scheduler.shelves.queue_slot import ORDINARY, QueueSlot, stored_slot
from scheduler.storage.outage import is_transient
from scheduler.tasks.handle import TaskHandle
from scheduler.tasks.key_limits import key_limits_of
from scheduler.values.rate_limit import Limit, Starts

log = logging.getLogger(__name__)

# How many tasks of a queue are read in one tick, to find one whose key is free.
LOOKED_AT = 1000


class SlotHolder(NamedTuple):
    """The slot that a task holds: it is with a worker, or put off and keeps its key."""

    slot: QueueSlot
    key_limit: float = 1
    in_order: bool = False
    is_running: bool = True
    rate: tuple[int, float] | None = None
    """How many tasks with its key are started in a period of so many seconds."""

    def free(self, running: int) -> int:
        """Return how many more tasks may have its key, which *running* tasks have."""
        return int(min(self.key_limit - running, LOOKED_AT))

    @property
    def limit(self) -> Limit:
        """The limit of its key's starts."""
        return Limit() if self.rate is None else Limit(None, *self.rate)


class NamedQueues(Persistent):
    """Written by the scheduler alone, as all shelves are."""

    _rates: KeyRates | None = None  # made for the first key with a rate

    def __init__(self) -> None:
        self._queues = OOBTree()  # (-priority, name) -> its waiting queue
        self._parked = TimeOrder()  # of (key, -priority, microseconds, task)
        self._parked_length = Length()
        self._held = LOBTree()  # task's number -> Held
        self._running = OOBTree()  # name of a queue -> how many of its tasks are with a worker
        self._keys = OOBTree()  # key -> how many tasks hold it
        self._limits = OOBTree()  # name of a queue -> Limit
        self._starts = OOBTree()  # name of a queue -> Starts

    def limit(self, name: str, limit: Limit) -> None:
        """Set *limit* as that of the queue *name*, which stays paused if it is."""
        is_paused = self.is_paused(name)
        self._limits[name] = tuple(limit.checked()._replace(is_paused=is_paused))
        self._starts.pop(name, None)  # counted by another period

    def pause(self, name: str, *, is_paused: bool) -> None:
        """Pause the queue *name*, or let it go on."""
        if is_paused != self.is_paused(name):
            self._limits[name] = tuple(self._limit_of(name)._replace(is_paused=is_paused))

    def is_paused(self, name: str) -> bool:
        """Return whether the queue *name* is paused."""
        return self._limit_of(name).is_paused

    def limits(self) -> OOBTree:
        """Return the stored limits, by the name of the queue."""
        return self._limits

    def take_limits(self, limits: OOBTree) -> None:
        """Take over the stored *limits* of other named queues."""
        self._limits.update(limits)

    def queues(self) -> Mapping[str, tuple[Limit, int, int]]:
        """Return for each named queue its limit, and how many of its tasks wait and run."""
        waiting: dict[str, int] = {}
        for (_, name), queue in self._queues.items():
            waiting[name] = waiting.get(name, 0) + len(queue)
        for *_, task in self._parked:
            name = _wanted_by(task).slot.queue
            waiting[name] = waiting.get(name, 0) + 1
        names = {*waiting, *self._limits, *self._running} - {""}
        return {
            name: (
                self._limit_of(name),
                waiting.get(name, 0),
                self._running.get(name, 0),
            )
            for name in sorted(names)
        }

    def enqueue(self, due: float, task: Any, slot: QueueSlot) -> None:
        """Add *task*, to be due at *due* (since 1970)."""
        order = (-slot.priority, slot.queue)
        queue = self._queues.get(order)
        if queue is None:
            queue = self._queues[order] = PersistentWaitingQueue()
        queue.enqueue(due, task)

    def dequeue(self, due: float, task: Any, slot: QueueSlot) -> None:
        """Remove *task*, which waits to be due at *due*; KeyError if it is not there."""
        parked = (slot.key, -slot.priority, microseconds(due), task)
        if slot.key is not None and parked in self._parked:
            self._unpark(parked)
        else:
            self._queues[-slot.priority, slot.queue].dequeue(due, task)
        self.release(u64(task._p_oid))

    def has(self, due: float, task: Any, slot: QueueSlot) -> bool:
        """Say whether *task* waits here, to be due at *due*."""
        parked = (slot.key, -slot.priority, microseconds(due), task)
        if slot.key is not None and parked in self._parked:
            return True
        queue = self._queues.get((-slot.priority, slot.queue))
        return queue is not None and queue.has(due, task)

    def discard(self, task: Any) -> bool:
        """Remove *task*, wherever it waits; say whether it was here. All tasks are looked at."""
        parked = [entry for entry in self._parked if entry[3] is task]
        for entry in parked:
            self._unpark(entry)
        found = [queue.discard(task) for queue in self._queues.values()]
        if parked or any(found):
            self.release(u64(task._p_oid))
        return bool(parked) or any(found)

    def take(
        self, now: float, room: int, least: float, most: float, caps: Mapping[str, int]
    ) -> list[Any]:
        """Take tasks that are due at *now* and may run, at most *room*, oldest first.

        They are those with a priority from *least* to *most*; the higher go first. Queues of
        one priority share evenly. *caps* says how many of a queue this scheduler runs.
        """
        taken: list[Any] = []
        self._wake(now)
        due = [each for each in self._due(now) if least <= -each[0] <= most]
        for level in sorted({order for order, _, _ in due}):
            queues = [each[1:] for each in due if each[0] == level]
            for number, (name, queue) in enumerate(queues):
                share = -(-(room - len(taken)) // (len(queues) - number))
                free = self._free(name, now, caps)
                taken += self._take_from(name, queue, now, int(min(share, free)))
        return taken

    def release(self, tid: int, *, keeps_key: bool = False) -> QueueSlot:
        """Take its slot from task *tid*, and return that; ORDINARY if it had none.

        A task that is put off *keeps_key* if its class wants order.
        """
        stored = self._held.pop(tid, None)
        if stored is None:
            return ORDINARY
        held = SlotHolder(*stored)
        slot = held.slot
        if held.is_running and slot.queue:
            _count(self._running, slot.queue, -1)
        if slot.key is None:
            return slot
        if keeps_key and held.in_order:
            self._held[tid] = tuple(held._replace(is_running=False))
            return slot
        _count(self._keys, slot.key, -1)
        self._unpark_some(slot.key, held, nowutc().timestamp())
        return slot

    def free_all(self) -> None:
        """Take their places from all tasks that are with workers."""
        for tid, stored in list(self._held.items()):
            if SlotHolder(*stored).is_running:
                self.release(tid)

    def next_due(self, now: float, caps: Mapping[str, int]) -> float | None:
        """Return when the next task is due that will have a slot then, as far as known."""
        dues = []
        for (_, name), queue in self._queues.items():
            due = queue.next_due()
            if due is None or not self._places(name, caps):
                continue  # when a slot is free again, there will be a tick
            limit = self._limit_of(name)
            dues.append(max(due, self._starts_of(name).wait(limit, now)))
        woken = None if self._rates is None else self._rates.next_due()
        return min([*dues, *([] if woken is None else [woken])], default=None)

    def tend(self, now: float) -> None:
        """Remove queues in which nothing waits, and the starts of keys that are long ago."""
        if self._rates is not None:
            self._rates.tend(now)
        for order in [order for order, queue in self._queues.items() if not queue]:
            del self._queues[order]

    def __iter__(self) -> Iterator[tuple[int, Any]]:
        """Yield (second, task)."""
        for queue in self._queues.values():
            yield from queue
        yield from ((due // MICROSECONDS, task) for _, _, due, task in self._parked)

    def __len__(self) -> int:
        return sum(map(len, self._queues.values())) + int(self._parked_length())

    def named(self, name: str | None) -> Iterator[tuple[str, PersistentWaitingQueue]]:
        """Yield the waiting queues with this *name*, or all, each with its name."""
        found = ((each, queue) for (_, each), queue in self._queues.items())
        return ((each, queue) for each, queue in found if name in (None, each))

    def parked_behind(self, position: tuple[Any, ...] | None) -> Iterator[tuple[Any, ...]]:
        """Yield (key, -priority, microseconds, task) of parked tasks, in order, behind it."""
        return iter(self._parked.keys(position, excludemin=position is not None))

    def _due(self, now: float) -> list[tuple[int, str, PersistentWaitingQueue]]:
        found = []
        for (order, name), queue in self._queues.items():
            due = queue.next_due()
            if due is not None and due <= now:
                found.append((order, name, queue))
        return found

    def _free(self, name: str, now: float, caps: Mapping[str, int]) -> float:
        """Return how many tasks of queue *name* may be started at *now*."""
        allowed = self._starts_of(name).allowed(self._limit_of(name), now)
        return min(self._places(name, caps), allowed)

    def _places(self, name: str, caps: Mapping[str, int]) -> float:
        """Return how many tasks of queue *name* may be with workers beyond those that are."""
        limit = self._limit_of(name)
        if limit.is_paused:
            return 0
        at_once = limit.at_once
        places = min(math.inf if at_once is None else at_once, caps.get(name, math.inf))
        running: int = self._running.get(name, 0)
        return max(0, places - running)

    def _limit_of(self, name: str) -> Limit:
        try:
            return Limit(*self._limits.get(name, ())).checked()
        except (TypeError, ValueError) as error:
            log.warning("queue %r has no limit: what is stored as one is wrong: %s", name, error)
            return Limit()

    def _starts_of(self, name: str) -> Starts:
        return Starts(self._starts.get(name, ()))

    def _take_from(
        self, name: str, queue: PersistentWaitingQueue, now: float, count: int
    ) -> list[Any]:
        taken: list[Any] = []
        looked_at = 0
        while len(taken) < count and looked_at < LOOKED_AT:
            popped = queue.pop_due(now, count - len(taken))
            taken += [task for task in popped if self._admit(task, now)]
            looked_at += len(popped)
            if not popped:
                break
        limit = self._limit_of(name)
        if taken and limit.rate is not None:
            starts = self._starts_of(name).add(limit, now, len(taken))
            self._starts[name] = starts.slots
        return taken

    def _admit(self, task: Any, now: float) -> bool:
        """Give *task* its slot; park it, and say False, where its key is taken.

        A task that cannot be parked goes to a worker as if it had no key.
        """
        try:
            return self._admit_as(_wanted_by(task), task, now)
        except Exception as error:
            if is_transient(error):
                raise
            return self._admit_as(SlotHolder(ORDINARY), task, now)

    def _admit_as(self, held: SlotHolder, task: Any, now: float) -> bool:
        tid, key = u64(task._p_oid), held.slot.key
        if key is not None:
            is_new = tid not in self._held
            is_full = is_new and held.free(self._keys.get(key, 0)) <= 0
            if is_full or not self._may_start(key, held, now):
                self._park(task, held)
                return False
            if is_new:
                _count(self._keys, key, 1)
        self._held[tid] = tuple(held)
        if held.slot.queue:
            _count(self._running, held.slot.queue, 1)
        return True

    def _may_start(self, key: str, held: SlotHolder, now: float) -> bool:
        """Count a start of *key*, and return whether its rate allows it at *now*."""
        if held.rate is None:
            return True
        if self._rates is None:
            self._rates = KeyRates()
        return self._rates.start(key, held.limit, now)

    def _wake(self, now: float) -> None:
        """Unpark tasks whose keys are allowed starts again at *now*."""
        for key in [] if self._rates is None else self._rates.due(now):
            parked = next(iter(self._parked_for(key)), None)
            if parked is not None:
                self._unpark_some(key, _wanted_by(parked[3]), now)

    def _unpark_some(self, key: str, held: SlotHolder, now: float) -> None:
        """Put as many parked tasks of *key* into their queues as may have it at *now*."""
        free = held.free(self._keys.get(key, 0))
        if self._rates is not None and held.rate is not None:
            free = int(min(free, self._rates.allowed(key, held.limit, now)))
        for parked in list(islice(self._parked_for(key), max(0, free))):
            self._unpark(parked)
            self.enqueue(parked[2] / MICROSECONDS, parked[3], _wanted_by(parked[3]).slot)
        if self._rates is not None and held.rate is not None and any(self._parked_for(key)):
            self._rates.wait(key, held.limit, now, max(0, free))

    def _parked_for(self, key: str) -> Iterator[tuple[Any, ...]]:
        return iter(self._parked.keys((key,), (key, math.inf)))

    def _park(self, task: Any, held: SlotHolder) -> None:
        due = microseconds(within_calendar(TaskHandle(task).queued_for))
        self._parked.insert((held.slot.key, -held.slot.priority, due, task))
        self._parked_length.change(1)

    def _unpark(self, parked: tuple[Any, ...]) -> None:
        self._parked.remove(parked)
        self._parked_length.change(-1)


def _wanted_by(task: Any) -> SlotHolder:
    """Return what *task* is to hold; the ordinary slot for one that cannot be loaded."""
    try:
        limit = key_limits_of(task)
        rate = None if limit.rate is None else (limit.rate, limit.period)
        slot = stored_slot(TaskHandle(task).slot)
        key_limit = math.inf if limit.at_once is None else limit.at_once
        return SlotHolder(slot, key_limit, bool(task.inOrder), rate=rate)
    except Exception as error:
        if is_transient(error):
            raise
        # The worker will meet the same error, and report it.
        return SlotHolder(ORDINARY)


def _count(numbers: OOBTree, name: str, change: int) -> None:
    number = numbers.get(name, 0) + change
    if number:
        numbers[name] = number
    else:
        numbers.pop(name, None)
