"""Several connections on one track: who merges with whom, and who conflicts.

Covers `livesync.track.merging_set`.
"""

from __future__ import annotations

import pytest
import transaction
from ZODB.POSException import ConflictError

from livesync import ActionWrapper
from livesync.struct import ListMultiPointerTrack, SetMultiPointerTrack
from scheduler.store import open_database
from tests.livesync.stand_ins import Conference


@pytest.fixture
def two(tmp_path):
    """Two connections, with their transaction managers, to a database with two tracks."""
    database = open_database(f"file://{tmp_path}/data.fs")
    managers = [transaction.TransactionManager() for _ in range(2)]
    connections = [database.open(transaction_manager=manager) for manager in managers]
    root = connections[0].root()
    root["set"], root["list"] = SetMultiPointerTrack(), ListMultiPointerTrack()
    managers[0].commit()
    managers[1].begin()
    yield connections
    for connection in connections:
        connection.transaction_manager.abort()
        connection.close()
    database.close()


def commit_both(two):
    for connection in two:
        connection.transaction_manager.commit()
    for connection in two:
        connection.transaction_manager.begin()


def tracks(two, name="set"):
    return [connection.root()[name] for connection in two]


def test_additions_to_the_same_fresh_bin_merge(two):
    one, other = tracks(two)
    one.add(1, "a")
    other.add(1, "b")
    commit_both(two)

    assert list(one) == list(other) == [(1, "a"), (1, "b")]


def test_additions_of_equal_elements_merge_to_one(two):
    one, other = tracks(two)
    one.add(1, "a")
    other.add(1, "a")
    commit_both(two)

    assert list(one) == list(other) == [(1, "a")]


def test_equal_records_of_one_object_merge_to_one(two):
    event = two[0].root()["event"] = Conference("7")
    commit_both(two)
    for connection in two:
        event = connection.root()["event"]
        connection.root()["set"].add(1, ActionWrapper(100, event, ["created"], "7"))
    commit_both(two)

    for connection in two:
        (found,) = connection.root()["set"][1]
        assert found.getObject() is connection.root()["event"]


def test_a_leaf_that_one_splits_and_another_extends_is_an_ordinary_conflict(two, caplog):
    one, other = tracks(two)
    for number in range(1000):
        one.add(1, number)
    commit_both(two)
    for number in range(200):
        one.add(1, 20 + number / 1000)
    other.add(1, 20.5)
    two[0].transaction_manager.commit()
    with pytest.raises(ConflictError):
        two[1].transaction_manager.commit()

    assert "Unexpected error" not in caplog.text


def test_additions_to_a_bin_of_many_leaves_merge(two):
    one, other = tracks(two)
    for number in range(1000):
        one.add(1, number)
    commit_both(two)
    one.add(1, 20.5)
    other.add(1, 20.25)
    one.add(1, 30.5)
    other.add(1, 30.5)
    commit_both(two)

    assert len(one[1]) == len(other[1]) == 1003


def test_preparing_a_bin_and_adding_to_it_merge(two):
    one, other = tracks(two)
    one.prepareEntry(1)
    other.add(1, "a")
    commit_both(two)

    assert list(one[1]) == ["a"]


def test_pointers_of_two_agents_move_at_once(two):
    one, other = tracks(two)
    one.add(5, "x")
    one.addPointer("a")
    one.addPointer("b")
    commit_both(two)
    one.movePointer("a", 3)
    other.movePointer("b", 5)
    commit_both(two)

    assert one.getPointers() == {"a": 3, "b": 5}
    assert one.frontier == other.frontier == 5


def test_one_pointer_moved_twice_at_once_conflicts(two):
    one, other = tracks(two)
    one.add(5, "x")
    one.addPointer("a")
    commit_both(two)
    one.movePointer("a", 3)
    other.movePointer("a", 4)

    with pytest.raises(ConflictError):
        commit_both(two)


def test_a_bin_dropped_by_one_and_filled_by_the_other_conflicts(two):
    one, other = tracks(two)
    one.add(1, "a")
    one.add(1, "b")
    commit_both(two)
    del one[1]
    other.add(1, "c")

    with pytest.raises(ConflictError):
        commit_both(two)


def test_two_additions_to_one_list_conflict(two):
    one, other = tracks(two, "list")
    one.add(1, "a")
    commit_both(two)
    one.add(1, "b")
    other.add(1, "c")

    with pytest.raises(ConflictError):
        commit_both(two)
