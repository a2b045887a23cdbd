"""From actions to states: one for each object."""

from __future__ import annotations

from itertools import permutations

import pytest

from livesync import ActionWrapper, SyncAgent
from livesync.reduction import STATUS_CHANGED, STATUS_CREATED, STATUS_DELETED, reduce
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
def test_what_concerns_an_object_alone_stays_with_it(tree, action, bits):
    for obj, obj_id in zip(tree[1:], ("1", "1.2", "1.2.3"), strict=True):
        assert states((obj, obj_id, action)) == ({obj_id: bits} if bits else {})


@pytest.mark.parametrize("action", ["created", "deleted", "data_changed", "title_changed"])
def test_categories_have_no_records(tree, action):
    assert states((tree[0], "0", action)) == {}


@pytest.mark.parametrize("action", ["set_private", "set_public", "acl_changed", "moved"])
def test_who_may_see_it_concerns_everything_below(tree, action):
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


def test_a_record_is_shown_as_a_line():
    agent = SyncAgent("a", "A", "", 60)

    assert agent.record_str(("OBJ", None, STATUS_CHANGED)) == f"{'OBJ':40} {'None':20} MOD"
    assert agent.record_str(("OBJ", "1", 7)).endswith("MOD CRT DEL")
