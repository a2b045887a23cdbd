"""An append log: many writers, one reader, and never a conflict.

Covers `scheduler.log.segment`.
"""

from __future__ import annotations

import pytest

from scheduler.log.append_log import AppendLog
from scheduler.store.overlay import snapshot_of
from tests.scheduler.harness import output_of


@pytest.fixture
def lanes(view):
    lanes = view.root["lanes"] = AppendLog()
    view.commit()
    return lanes


def test_entries_come_out_in_order_and_once(view, lanes):
    for number in range(200):
        lanes.append((number,))
    view.commit()
    assert lanes.drain() == [(number,) for number in range(200)]
    assert lanes.drain() == []


def test_draining_takes_the_oldest_up_to_its_limit(view, lanes):
    for number in range(10):
        lanes.append((number,))
    assert lanes.drain(4) == [(0,), (1,), (2,), (3,)]
    assert len(lanes) == 6
    assert next(lanes.pending()) == (4,)


def test_pending_entries_are_not_consumed(lanes):
    lanes.append(("a",))
    assert list(lanes.pending()) == list(lanes.pending()) == [("a",)]


def test_lanes_are_merged_by_the_time_of_recording(view, open_view, lanes):
    writers = [open_view() for _ in range(3)]
    for number in range(30):
        writers[number % 3].root["lanes"].append((number,))
    for writer in reversed(writers):
        writer.commit()
    view.refresh()
    assert lanes.drain() == [(number,) for number in range(30)]


def test_entries_are_read_on_behind_any_of_them(view, open_view, lanes):
    writers = [open_view() for _ in range(3)]
    for number in range(60):
        writers[0 if number % 7 else number % 3].root["lanes"].append((number,))
    for writer in writers:
        writer.commit()
    view.refresh()
    for taken in (0, 20):
        lanes.drain(taken)
        everything = list(lanes.positioned())
        for number, (place, _) in enumerate(everything):
            assert list(lanes.positioned(place)) == everything[number + 1 :]


def test_an_aborted_entry_never_was(view, lanes):
    lanes.append(("a",))
    view.manager.abort()
    assert len(lanes) == 0
    assert not lanes
    lanes.append(("b",))
    view.commit()
    assert lanes.drain() == [("b",)]


def test_an_aborted_draining_consumes_nothing(view, lanes):
    lanes.append(("a",))
    view.commit()
    lanes.drain()
    view.manager.abort()
    assert lanes.drain() == [("a",)]


def test_writers_and_the_reader_do_not_conflict(view, open_view, lanes):
    writers = [open_view() for _ in range(4)]
    drained = []
    for number in range(300):
        for name, writer in enumerate(writers):
            writer.root["lanes"].append((name, number))
        drained += lanes.drain(5)
        for writer in writers:
            writer.commit()
            writer.refresh()
        view.commit()
        view.refresh()
    drained += lanes.drain()
    for name in range(4):
        assert [n for who, n in drained if who == name] == list(range(300))


def test_drained_entries_are_trimmed(view, lanes):
    for number in range(1000):
        lanes.append((number,))
        lanes.drain()
        view.commit()
    (lane,) = (lane for _, lane in lanes._segments())
    assert len(lane._pages) <= 2


def test_clearing_drops_all_and_counts(lanes):
    for number in range(3):
        lanes.append((number,))
    assert lanes.clear() == 3
    assert len(lanes) == 0


def test_a_log_that_is_not_stored_yet_works(lanes):
    fresh = AppendLog()
    fresh.append((1,))
    fresh.append((2,))
    assert fresh.drain() == [(1,), (2,)]


APPEND = """
import sys, transaction
from scheduler.store import connect
with connect(sys.argv[1]) as connection:
    connection.root()["lanes"].append(("from another process",))
    transaction.commit()
"""


def test_the_lane_of_a_process_that_is_gone_is_removed_once_it_is_drained(view, lanes, uri):
    output_of(APPEND, uri)
    view.refresh()
    assert lanes.tend() == 0
    assert lanes.drain() == [("from another process",)]
    assert lanes.tend() == 1
    view.commit()
    assert lanes.tend() == 0


def test_the_lane_of_a_living_process_stays(view, lanes):
    lanes.append((1,))
    lanes.drain()
    assert lanes.tend() == 0


def test_each_entry_is_known_by_the_transaction_that_recorded_it(view, lanes):
    expected = []
    for number in range(30):
        lanes.append((number, "a"))
        if number % 3:
            view.manager.savepoint()
            lanes.append((number, "b"))
        view.commit()
        tid = snapshot_of(lanes._p_jar)
        expected += [(tid, (number, name)) for name in ("ab" if number % 3 else "a")]
    assert list(lanes.committed()) == expected
    lanes.append(("now",))
    view.manager.savepoint()
    lanes.append(("now", "too"))
    assert list(lanes.committed()) == [*expected, (None, ("now",)), (None, ("now", "too"))]
    assert lanes.drain_committed(2) == expected[:2]
    view.commit()
    tid = snapshot_of(lanes._p_jar)
    assert list(lanes.committed())[-2:] == [(tid, ("now",)), (tid, ("now", "too"))]
