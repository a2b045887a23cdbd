"""From actions to states: one for each object.

Covers `livesync.records.reduction_table`.
"""

from __future__ import annotations

from itertools import permutations

import pytest
from ZODB.Connection import TransactionMetaData

from livesync import ActionWrapper, SyncAgent
from livesync.records.reduction import (
    STATUS_CHANGED,
    STATUS_CREATED,
    STATUS_DELETED,
    Record,
    reduce,
)
from tests.livesync.stand_ins import Category, Conference, Contribution, Note, SubContribution


@pytest.fixture
def tree():
    root = Category("0")
    event = Conference("1", Category("sub", root))
    contribution = Contribution("2", event)
    return root, event, contribution, SubContribution("3", contribution)


def states(*changes):
    """Reduce (object, id, actions) changes to {id: bits}."""
    data = [(1, ActionWrapper(1, obj, actions, obj_id)) for obj, obj_id, *actions in changes]
    return {obj_id: bits for _, obj_id, bits in reduce(data)}


def test_modified_and_deleted_comes_to_deleted_and_more(tree):
    event = tree[1]
    assert states((event, "1", "data_changed"), (event, "1", "deleted")) == {
        "1": STATUS_CHANGED | STATUS_DELETED
    }


def test_the_order_of_actions_does_not_matter(tree):
    event = tree[1]
    changes = [(event, "1", name) for name in ("created", "data_changed", "deleted")]

    assert {tuple(states(*order).values()) for order in permutations(changes)} == {(7,)}


@pytest.mark.parametrize(
    ("action", "bits"),
    [("deleted", 1), ("created", 2), ("data_changed", 4), ("title_changed", None)],
)
def test_a_change_of_an_object_alone_stays_with_it(tree, action, bits):
    for obj, obj_id in zip(tree[1:], ("1", "1.2", "1.2.3"), strict=True):
        assert states((obj, obj_id, action)) == ({obj_id: bits} if bits else {})


@pytest.mark.parametrize("action", ["created", "deleted", "data_changed", "title_changed"])
def test_categories_have_no_records(tree, action):
    assert states((tree[0], "0", action)) == {}


@pytest.mark.parametrize("action", ["set_private", "set_public", "acl_changed", "moved"])
def test_a_change_of_access_concerns_everything_below(tree, action):
    root, event, contribution, sub = tree
    below = {"1": STATUS_CHANGED, "1.2": STATUS_CHANGED, "1.2.3": STATUS_CHANGED}

    assert states((root, "0", action)) == below
    assert states((event, "1", action)) == below
    assert states((contribution, "1.2", action)).keys() == {"1.2", "1.2.3"}
    assert states((sub, "1.2.3", action)).keys() == {"1.2.3"}


def test_of_other_objects_only_their_own_changes_count():
    note = Note("n")
    assert states((note, "n", "created")) == {"n": STATUS_CREATED}
    assert states((note, "n", "moved")) == {}


def test_an_object_reached_twice_is_one_record(tree):
    root, event, *_ = tree
    assert states((root, "0", "moved"), (event, "1", "created"))["1"] == (
        STATUS_CHANGED | STATUS_CREATED
    )


def test_an_object_that_is_deleted_and_put_back_later_is_there(tree):
    event = tree[1]
    data = [
        (2, ActionWrapper(200, event, ["created"], "1")),
        (1, ActionWrapper(100, event, ["deleted"], "1")),
    ]
    assert list(reduce(data)) == [(event, "1", STATUS_CREATED)]


def test_objects_without_an_id_are_told_apart():
    notes = Note("a"), Note("b")
    data = [(1, ActionWrapper(1, note, ["created"], None)) for note in notes]

    assert {record[0] for record in reduce(data)} == set(notes)


def test_owners_come_before_what_they_own(tree):
    assert [
        obj_id for _, obj_id, _ in reduce([(1, ActionWrapper(1, tree[0], ["moved"], "0"))])
    ] == [*("1", "1.2", "1.2.3")]


@pytest.mark.parametrize("obj_id", ["\ud800", "\x00", "ä", 7, ""])
def test_any_id_comes_out_as_it_went_in(tree, obj_id):
    ((_, found, _),) = reduce([(1, ActionWrapper(1, tree[1], ["deleted"], obj_id))])
    assert found == obj_id


def test_a_record_knows_where_its_newest_change_stands(tree):
    _, event, contribution, _ = tree
    data = [
        (5, ActionWrapper(500, event, ["moved"], "1")),
        (3, ActionWrapper(300, contribution, ["created"], "1.2")),
        (7, ActionWrapper(700, contribution, ["data_changed"], "1.2")),
    ]
    assert {record[1]: record.position for record in reduce(data)} == {
        "1": 5,
        "1.2": 7,
        "1.2.3": 5,
    }


def test_a_record_is_shown_as_a_line():
    agent = SyncAgent("a", "A", "", 60)

    assert agent.record_str(("OBJ", None, STATUS_CHANGED)) == f"{'OBJ':40} {'None':20} MOD"
    assert agent.record_str(("OBJ", "1", 7)).endswith("MOD CRT DEL")


def test_an_agent_may_store_records(connection, commit, open_connection):
    connection.root()["sent"] = [Record("obj", "1", STATUS_CREATED, 7)]
    commit()

    (record,) = open_connection().root()["sent"]

    assert (*record, record.position) == ("obj", "1", STATUS_CREATED, 7)


@pytest.mark.parametrize(("lost", "left"), [(0, []), (1, ["b", "b.2", "b.2.3"])])
def test_an_object_that_a_pack_has_removed_keeps_back_nothing_else(
    database, open_connection, lost, left
):
    first = open_connection()
    category = first.root()["c"] = Category("c")
    for name in ("a", "b"):
        SubContribution("3", Contribution("2", Conference(name, category)))
    first.transaction_manager.commit()
    action = ActionWrapper(1, category, ["acl_changed"], "c")
    first.root()["action"] = action
    first.transaction_manager.commit()
    remove(database, (category, category._parts[0])[lost])

    found = list(reduce([(1, open_connection().root()["action"])]))

    assert [obj_id for _, obj_id, _ in found] == left


def remove(database, obj):
    """Take *obj* out of the storage, whoever refers to it."""
    removal = TransactionMetaData()
    database.storage.tpc_begin(removal)
    database.storage.deleteObject(obj._p_oid, obj._p_serial, removal)
    database.storage.tpc_vote(removal)
    database.storage.tpc_finish(removal)
    database.cacheMinimize()


def at(number, obj, obj_id, *actions):
    action = ActionWrapper(number, obj, actions or ["data_changed"], obj_id)
    action.tid = number
    return 1, action


def test_records_come_in_the_order_of_commits_whatever_their_ids():
    found = reduce([at(3, Conference("1"), "1"), at(1, Conference("9"), "9"), at(2, None, "5")])
    assert [record[1] for record in found] == ["9", "5", "1"]


def test_what_is_in_an_event_comes_behind_it_though_its_commit_is_older():
    event = Conference("1")
    talk = Contribution("2", event)
    data = [at(4, event, "1"), at(1, talk, "1.2"), at(2, Conference("3"), "3")]
    assert [record[1] for record in reduce(data)] == ["3", "1", "1.2"]
