"""The backlog, whatever is asked of it in whatever order.

Covers `scheduler.shelves.queue_slot`, `scheduler.values.rate_limit`.

Covers `scheduler.shelves.queues`.
"""

from __future__ import annotations

from collections import Counter

import ZODB
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule
from ZODB.utils import u64

from scheduler import nowutc
from scheduler.shelves.named_queues import NamedQueues
from scheduler.shelves.queue_slot import QueueSlot
from scheduler.tasks import OneShotTask
from scheduler.values.rate_limit import Limit

KEY_LIMIT = 2
QUEUES = ("", "mail", "print")
START = 1_000_000_000


class Placed(OneShotTask):
    """A task at a place."""

    keyLimit = KEY_LIMIT

    def __init__(self, place, due):
        super().__init__(nowutc())
        self._place = tuple(place)
        self._queued_for = due


class BacklogMachine(RuleBasedStateMachine):
    """Tasks come and go; what waits and what runs is always told from the tasks themselves."""

    waiting = Bundle("waiting")

    def __init__(self):
        super().__init__()
        self.database = ZODB.DB(None)
        self.connection = self.database.open()
        self.backlog = self.connection.root()["backlog"] = NamedQueues()
        self.limits = {}
        self.waits, self.runs = set(), {}

    def teardown(self):
        self.connection.transaction_manager.abort()
        self.database.close()

    @rule(
        target=waiting,
        queue=st.sampled_from(QUEUES),
        priority=st.integers(-1, 1),
        key=st.sampled_from((None, "a", "b")),
        due=st.integers(START, START + 10),
    )
    def enqueue(self, queue, priority, key, due):
        task = Placed(QueueSlot(queue, priority, key), due)
        self.connection.add(task)
        self.backlog.enqueue(due, task, QueueSlot(*task._place))
        self.waits.add(task)
        return task

    @rule(task=consumes(waiting))
    def dequeue(self, task):
        if task in self.waits:
            self.backlog.dequeue(task._queued_for, task, QueueSlot(*task._place))
            self.waits.remove(task)

    @rule(queue=st.sampled_from(QUEUES[1:]), at_once=st.none() | st.integers(0, 3))
    def limit(self, queue, at_once):
        self.backlog.limit(queue, Limit(at_once))
        self.limits[queue] = at_once

    @rule(now=st.integers(START, START + 12), room=st.integers(0, 6))
    def take(self, now, room):
        taken = self.backlog.take(now, room, -1, 1, {})
        assert len(taken) <= room
        assert all(task._queued_for <= now for task in taken)
        levels = [-task._place[1] for task in taken]
        assert levels == sorted(levels)
        for task in taken:
            self.waits.remove(task)
            self.runs[task] = QueueSlot(*task._place)
        running = Counter(place.queue for place in self.runs.values())
        for task in taken:
            most = self.limits.get(task._place[0])
            assert most is None or running[task._place[0]] <= most

    @rule(data=st.data())
    def release(self, data):
        if self.runs:
            task = data.draw(st.sampled_from(sorted(self.runs)))
            assert self.backlog.release(u64(task._p_oid)) == self.runs.pop(task)

    @rule(target=waiting)
    def drain(self):
        """All that is due can be run, once the limits are gone and what runs has ended."""
        for queue in QUEUES[1:]:
            self.limit(queue, None)
        while self.waits:
            for task in list(self.runs):
                self.backlog.release(u64(task._p_oid))
                del self.runs[task]
            before = len(self.waits)
            self.take(START + 12, 100)
            assert len(self.waits) < before
        return multiple()

    @invariant()
    def what_waits_is_what_was_not_taken(self):
        assert {task for _, task in self.backlog} == self.waits
        assert len(self.backlog) == len(self.waits)

    @invariant()
    def no_key_is_held_more_often_than_its_limit_says(self):
        keys = Counter(place.key for place in self.runs.values() if place.key is not None)
        assert all(number <= KEY_LIMIT for number in keys.values())

    @invariant()
    def the_numbers_of_the_queues_are_those_of_the_tasks(self):
        waiting = Counter(task._place[0] for task in self.waits)
        running = Counter(place.queue for place in self.runs.values())
        for name, (_, waits, runs) in self.backlog.queues().items():
            assert (waits, runs) == (waiting[name], running[name])


BacklogMachine.TestCase.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)
test_the_backlog_keeps_its_promises = BacklogMachine.TestCase
