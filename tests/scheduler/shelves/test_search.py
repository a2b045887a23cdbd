"""Pages of a search are by key: together they are the walk, whatever moves between two of them.

Covers `scheduler.shelves.search`, `scheduler.shelves.walk`, `scheduler.shelves.shelved`.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from datetime import timedelta
from random import Random

import pytest
from BTrees.OOBTree import OOTreeSet
from hypothesis import given
from hypothesis import strategies as st

from scheduler import SchedulerModule, TaskFilter, nowutc
from scheduler.clock import stamp
from scheduler.errors import BadCursor
from scheduler.queue import BLOCKED_DUE, NEVER_DUE
from scheduler.shelves.bulk_order import CANCEL, RETRY, BulkOrder
from scheduler.shelves.search import count, search
from scheduler.shelves.walk import walk
from scheduler.states import (
    STATES,
    TASK_STATUS_ABORTED,
    TASK_STATUS_FAILED,
    TASK_STATUS_FINISHED,
    TASK_STATUS_SPOOLED,
    TASK_STATUS_TERMINATED,
)
from scheduler.storage.internals import descending
from scheduler.store import open_database, using
from scheduler.tasks import IntervalTask, TaskOccurrence
from scheduler.tasks.attempt import Attempt
from scheduler.tasks.call import call_of
from scheduler.tasks.handle import TaskHandle
from tests.scheduler import sample_declared as declared
from tests.scheduler.harness import View
from tests.scheduler.sample_tasks import Noop
from tests.waiting import DEADLINE

COUNT = 40
NOW = nowutc()
AHEAD = NOW + timedelta(hours=1)
ENDED = (TASK_STATUS_FINISHED, TASK_STATUS_FAILED, TASK_STATUS_ABORTED, TASK_STATUS_TERMINATED)


@pytest.fixture(scope="module")
def stocked(tmp_path_factory):
    """A view of shelves with tasks in every state, some of them at one moment; only read."""
    database = open_database(f"file://{tmp_path_factory.mktemp('search')}/data.fs")
    view = View(database)
    _stock(view)
    yield view
    view.close()
    database.close()


@pytest.fixture
def module(stocked):
    with using(stocked.connection):
        yield SchedulerModule.getDBInstance(stocked.connection)


def _stock(view):
    module = SchedulerModule.getDBInstance(view.connection)
    random = Random(7)
    for number in range(COUNT):
        due = AHEAD + timedelta(seconds=number // 3)
        _queue(view, Noop(due))
        _queue(view, call_of(due, declared.send, (str(number),), {}))
        if number % 5 == 0:
            _queue(view, Noop(due), NEVER_DUE)
            _queue(view, Noop(due), BLOCKED_DUE)
        for status in ENDED:
            _end(view, Noop(NOW), status, NOW - timedelta(seconds=random.randrange(COUNT)))
        _end_run(view, number, NOW - timedelta(seconds=number // 4))
    for _ in range(3):
        running, odd = Noop(NOW), Noop(NOW)
        view.connection.add(running)
        TaskHandle(running).set_status(TASK_STATUS_SPOOLED)
        module.running.add(running, NOW.timestamp())
        view.connection.add(odd)
        module.set_aside(odd, "it has no luck")
    view.commit()
    for number in range(COUNT):
        view.enqueue(Noop(NOW + timedelta(seconds=number)))


def _queue(view, task, due=None):
    module = SchedulerModule.getDBInstance(view.connection)
    view.connection.add(task)
    TaskHandle(task).set_status(TASK_STATUS_SPOOLED)
    module.queues.add(task, stamp(task.getDueOn()) if due is None else due)


def _end(view, task, status, ended):
    view.connection.add(task)
    TaskHandle(task).set_status(TASK_STATUS_SPOOLED)
    attempt = Attempt(1, ended, ended, status, f"no luck at {ended.second}")
    if status == TASK_STATUS_FINISHED:
        TaskHandle(task).finish(attempt, None)
    elif status == TASK_STATUS_ABORTED:
        TaskHandle(task).abort(attempt)
    else:
        TaskHandle(task).end(attempt)
    SchedulerModule.getDBInstance(view.connection).shelve(task, ended, status)


def _end_run(view, number, ended):
    task = IntervalTask(3600)
    view.connection.add(task)
    task._ended = ended.timestamp()
    occurrence = TaskOccurrence(task)
    occurrence.setId(number)
    module = SchedulerModule.getDBInstance(view.connection)
    module.shelve(occurrence, ended, TASK_STATUS_FINISHED)


def _pages(module, chosen, **limits):
    """Return all that is found, and on how many pages."""
    found, cursor, pages = [], None, 0
    while True:
        page = search(module, chosen, cursor, **limits)
        found += page.found
        pages += 1
        if page.cursor is None:
            return found, pages
        cursor = page.cursor


def _elements(found):
    return [each.element for each in found]


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_pages_together_are_the_walk_with_each_task_once(module, size):
    everything = _elements(walk(module, TaskFilter()))
    found, _ = _pages(module, TaskFilter(), size=size, budget=DEADLINE)
    assert _elements(found) == everything
    assert len(set(everything)) == len(everything) > 8 * COUNT


@pytest.mark.parametrize("state", STATES)
def test_a_state_has_pages_of_its_own(module, state):
    everything = [each for each in walk(module, TaskFilter()) if each.state == state]
    assert everything
    found, _ = _pages(module, TaskFilter(state=state), size=3, budget=DEADLINE)
    assert _elements(found) == _elements(everything)
    dates = [each.date for each in found if each.date is not None]
    is_ended = state in ("finished", "failed", "terminated", "aborted")
    if state in ("waiting", "finished", "failed", "terminated", "aborted"):
        assert dates == sorted(dates, reverse=is_ended)


@pytest.mark.parametrize("queue", ["", "mail"])
def test_the_tasks_of_a_queue_are_found(module, queue):
    found, _ = _pages(module, TaskFilter(queue=queue, state="waiting"), size=7, budget=DEADLINE)
    assert len(found) == COUNT
    assert {each.task.queueName for each in found} == {queue}


@pytest.mark.parametrize("state", [None, "waiting", "finished", "failed"])
@pytest.mark.parametrize("seconds", [(3, 9), (0, 0), (9, 3), (None, 5), (5, None)])
def test_the_tasks_of_a_time_are_found(module, state, seconds):
    base = AHEAD if state == "waiting" else NOW - timedelta(seconds=COUNT // 2)
    since, until = (each if each is None else base + timedelta(seconds=each) for each in seconds)
    everything = [
        found
        for found in walk(module, TaskFilter())
        if state in (None, found.state)
        and found.date is not None
        and (since is None or found.date >= since)
        and (until is None or found.date <= until)
    ]
    chosen = TaskFilter(state=state, since=since, until=until)
    found, _ = _pages(module, chosen, size=4, budget=DEADLINE)
    assert _elements(found) == _elements(everything)


def test_a_page_ends_with_its_time_and_says_how_far_it_came(module):
    chosen = TaskFilter(text="luck at 3")
    found, pages = _pages(module, chosen, budget=0)
    assert pages > 8 * COUNT
    assert _elements(found) == _elements(_pages(module, chosen, budget=DEADLINE)[0])
    assert search(module, chosen, budget=0).looked_at == 1


@pytest.mark.parametrize("name", ["*MAIL*", "*noop", "tests.*send", "send"])
def test_a_part_of_a_name_will_do(module, name):
    found, _ = _pages(module, TaskFilter(name=name, state="waiting"), budget=DEADLINE)
    assert len(found) == (0 if "MAIL" in name else COUNT)


def test_tasks_may_move_between_two_pages(view):
    _stock(view)
    module = SchedulerModule.getDBInstance(view.connection)
    for state in STATES:
        cursor, met = None, []
        while True:
            page = search(module, TaskFilter(state=state), cursor, size=2, budget=DEADLINE)
            met += _elements(page.found)
            if page.cursor is None:
                break
            cursor = page.cursor
            last = page.found[-1]
            if last.state in ("waiting", "paused") or (last.is_task and last.state == "finished"):
                status = last.task.getStatus()
                module.moveTask(last.task, status, 0, nocheck=True)
                view.commit()
        assert len(set(met)) == len(met)


def test_unreadable_tasks_are_found_as_well(stocked, module, monkeypatch):
    def refuse(self, state):
        raise RuntimeError("it cannot be read")

    for shelf in (module.getFailedIndex(), module.getFinishedIndex()):
        list(shelf)
    stocked.connection.cacheMinimize()
    monkeypatch.setattr(Noop, "__setstate__", refuse)
    found, _ = _pages(module, TaskFilter(state="failed"), size=9, budget=DEADLINE)
    assert len(found) == 3 * COUNT
    finished, _ = _pages(module, TaskFilter(state="finished"), size=9, budget=DEADLINE)
    assert len(finished) == 2 * COUNT
    assert _pages(module, TaskFilter(text="luck at"), budget=DEADLINE)[0] == []


def test_a_count_ends_at_a_number(module):
    order = BulkOrder.of(CANCEL, TaskFilter(state="waiting"))
    assert count(module, order, budget=DEADLINE) == (2 * COUNT, True, None)
    assert count(module, order, at_most=2 * COUNT, budget=DEADLINE) == (2 * COUNT, True, None)
    assert count(module, order, at_most=11, budget=DEADLINE) == (11, False, None)
    retried = count(module, BulkOrder.of(RETRY, TaskFilter()), budget=DEADLINE)
    assert retried == (2 * COUNT + 3, True, None)


def test_a_count_goes_on_where_its_time_was_over(module):
    order = BulkOrder.of(CANCEL, TaskFilter(state="waiting"))
    counted = count(module, order, budget=0)
    assert counted[:2] == (1, False)
    assert count(module, order, budget=0, before=counted)[:2] == (2, False)
    assert count(module, order, budget=DEADLINE, before=counted) == (2 * COUNT, True, None)


def _written(*place):
    return urlsafe_b64encode(json.dumps(place).encode()).decode()


@pytest.mark.parametrize(
    "cursor",
    [
        *("", "x", "%%%", "é", "\udcff", "W10", _written(), _written("a"), _written(99, 1)),
        *(_written(2, 1), _written(2, -1, 1, 1), _written(2, 10**30, 1, 1), _written(5, "a", 1, 1)),
        *(_written(0, True), _written(4, 2**64), _written(1, 1, 1, 1), "[" * 100_000),
        *(_written(3, 1, 1, 1, 1, 1), _written([], 1), _written(0.0, 1)),
    ],
)
def test_what_is_no_cursor_is_refused(view, cursor):
    module = SchedulerModule.getDBInstance(view.connection)
    with pytest.raises(BadCursor, match="no cursor"):
        search(module, TaskFilter(), cursor)


class _Small(OOTreeSet):
    max_leaf_size = 4
    max_internal_size = 4


@given(st.sets(st.integers(0, 300), max_size=120), st.one_of(st.none(), st.integers(-1, 301)))
def test_a_tree_is_read_downwards_from_any_key_on(keys, below):
    tree = _Small(keys)
    expected = sorted((each for each in keys if below is None or each < below), reverse=True)
    assert list(descending(tree, below)) == expected
