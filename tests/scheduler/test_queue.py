"""The waiting queue against a plain model, and its corners (reference 3.2)."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from scheduler.queue import DuplicateElementException, PersistentWaitingQueue
from scheduler.store.schema import has_changes

YEAR_9999 = 253_402_300_799

whole = st.integers(0, YEAR_9999)
near = st.integers(0, 300)
fractions = st.floats(0, 300).map(lambda t: round(t, 6))
times = st.one_of(near, fractions, whole)
elements = st.integers(0, 5)


class QueueMachine(RuleBasedStateMachine):
    """The queue does what a sorted list of (time in microseconds, element) does."""

    def __init__(self):
        super().__init__()
        self.queue = PersistentWaitingQueue()
        self.model = []

    @rule(t=times, element=elements)
    def enqueue(self, t, element):
        item = (micro(t), element)
        if item in self.model:
            with pytest.raises(DuplicateElementException):
                self.queue.enqueue(t, element)
        else:
            self.queue.enqueue(t, element)
            self.model.append(item)
            self.model.sort()

    @precondition(lambda self: self.model)
    @rule(data=st.data())
    def dequeue(self, data):
        item = data.draw(st.sampled_from(self.model))
        self.queue.dequeue(item[0] / 1_000_000, item[1])
        self.model.remove(item)

    @rule(t=times, element=elements)
    def dequeue_what_is_not_there(self, t, element):
        if not any(due // 1_000_000 == int(t) and e == element for due, e in self.model):
            with pytest.raises(KeyError):
                self.queue.dequeue(t, element)

    @rule()
    def pop(self):
        expected = self.model.pop(0) if self.model else None
        assert self.queue.pop() == (expected and (expected[0] // 1_000_000, expected[1]))

    @rule(now=times, limit=st.integers(0, 4))
    def pop_due(self, now, limit):
        due = [item for item in self.model if item[0] <= micro(now)][:limit]
        assert self.queue.pop_due(now, limit) == [element for _, element in due]
        self.model = [item for item in self.model if item not in due]

    @invariant()
    def all_that_can_be_seen_agrees(self):
        seconds = [(due // 1_000_000, element) for due, element in self.model]
        assert list(self.queue) == seconds
        assert len(self.queue) == len(self.model)
        assert self.queue.nbins() == len({second for second, _ in seconds})
        assert self.queue.peek() == (seconds[0] if seconds else None)
        assert self.queue.next_due() == (self.model[0][0] / 1_000_000 if self.model else None)
        for second, _ in seconds[:2]:
            assert self.queue[second] == [element for t, element in seconds if t == second]


def micro(t):
    return t * 1_000_000 if isinstance(t, int) else round(t * 1_000_000)


TestQueue = QueueMachine.TestCase
TestQueue.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


@pytest.fixture
def queue():
    queue = PersistentWaitingQueue()
    for t, element in [(5, "d"), (1, "b"), (1, "a"), (3, "c"), (1, "z")]:
        queue.enqueue(t, element)
    return queue


def test_five_elements_at_three_times_are_five_in_three_bins(queue):
    assert (len(queue), queue.nbins()) == (5, 3)


def test_a_bin_gives_its_elements_in_order(queue):
    assert list(queue[1]) == ["a", "b", "z"]


def test_popping_gives_time_order_and_leaves_nothing(queue):
    popped = [queue.pop() for _ in range(5)]
    assert popped == [(1, "a"), (1, "b"), (1, "z"), (3, "c"), (5, "d")]
    assert (len(queue), queue.nbins(), queue.pop()) == (0, 0, None)


def test_peeking_changes_nothing(queue):
    assert queue.peek() == queue.peek() == (1, "a")
    assert len(queue) == 5


def test_taking_the_only_element_of_a_time_removes_the_bin(queue):
    queue.dequeue(3, "c")
    assert queue.nbins() == 2
    with pytest.raises(KeyError):
        queue[3]


def test_an_element_stands_once_at_a_time_and_may_stand_at_another(queue):
    with pytest.raises(DuplicateElementException):
        queue.enqueue(3, "c")
    queue.enqueue(4, "c")
    assert len(queue) == 6


@pytest.mark.parametrize("t", [0, 2**31 - 1, 2**31, 2**32, YEAR_9999])
def test_every_second_from_1970_to_9999_works(t):
    queue = PersistentWaitingQueue()
    queue.enqueue(t, "x")
    assert queue.peek() == (t, "x")
    assert list(queue[t]) == ["x"]
    queue.dequeue(t, "x")
    assert len(queue) == 0


def test_fractions_order_within_a_second_that_is_spoken_of_as_a_whole():
    queue = PersistentWaitingQueue()
    queue.enqueue(7.75, "late")
    queue.enqueue(7.25, "early")
    assert list(queue) == [(7, "early"), (7, "late")]
    assert queue.nbins() == 1
    assert queue.next_due() == 7.25


def test_an_element_is_taken_out_by_its_whole_second():
    queue = PersistentWaitingQueue()
    queue.enqueue(7.75, "x")
    queue.dequeue(7, "x")
    assert len(queue) == 0


def test_tasks_due_later_stay(queue):
    assert queue.pop_due(3, 10) == ["a", "b", "z", "c"]
    assert list(queue) == [(5, "d")]


def test_taking_nothing_out_of_the_queue_changes_nothing(connection):
    queue = connection.root()["queue"] = PersistentWaitingQueue()
    queue.enqueue(100, "later")
    connection.transaction_manager.commit()
    assert queue.pop_due(99, 10) == []
    assert not has_changes(connection)
