"""ActionWrapper: plain, ordered records."""

from __future__ import annotations

import re

from livesync import ActionWrapper
from tests.livesync.stand_ins import Category, Conference


def test_a_record_tells_object_id_and_actions():
    event = Conference("7")
    action = ActionWrapper(100, event, ["created", "data_changed", "created"], "7")

    assert action.getObject() is event
    assert action.getObjectId() == "7"
    assert action.getActions() == {"created", "data_changed"}
    assert action.timestamp == 100


def test_equal_records_are_equal_and_hash_alike():
    event = Conference("7")
    one, other = (ActionWrapper(1, event, names, "7") for names in (["a", "b"], ["b", "a"]))

    assert one == other
    assert hash(one) == hash(other)
    assert one != ActionWrapper(2, event, ["a", "b"], "7")
    assert one != "something else"


def test_a_category_and_an_event_of_the_same_id_are_two():
    assert ActionWrapper(1, Category("7"), ["a"], "7") != ActionWrapper(
        1, Conference("7"), ["a"], "7"
    )


def test_objects_without_id_are_told_apart():
    assert ActionWrapper(1, Conference("1"), ["a"], None) != ActionWrapper(
        1, Conference("2"), ["a"], None
    )


def test_later_records_come_first():
    event = Conference("7")
    early, late = (ActionWrapper(second, event, ["a"], "7") for second in (1, 2))

    assert sorted([early, late]) == [late, early]


def test_ids_of_different_types_can_be_ordered():
    event = Conference("7")
    records = [ActionWrapper(1, event, ["a"], obj_id) for obj_id in (7, "6", None)]

    assert len(sorted(records)) == 3


def test_the_text_form_shows_object_id_sorted_actions_and_time():
    action = ActionWrapper(1297081528, Conference("100994"), {"title_changed", "created"}, "100994")

    assert re.fullmatch(
        r"<ActionWrapper@0x[0-9a-f]+ \(<Conference 100994> 100994\) "
        r"\[created,title_changed\] 1297081528>",
        repr(action),
    )


def test_an_object_that_is_not_persistent_is_kept_itself():
    assert ActionWrapper(1, "thing", ["a"], "1").getObject() == "thing"
