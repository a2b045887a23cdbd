"""An agent with a filter is told of some kinds, classes and categories alone."""

from __future__ import annotations

import pytest

from livesync.records.change_filter import ChangeFilter


@pytest.fixture
def wanted(world):
    """The replica of an agent for category `open`."""
    return world.add_agent("a", ChangeFilter.of_texts(categories="open"))


def position(world):
    return world.manager.getAgent("a").getLastTS()


def test_a_target_gets_what_is_in_its_categories_and_below(world, wanted):
    world.add_event("1", "open")
    world.add_event("2", "inner")
    world.add_event("3", "hidden")
    world.deliver()
    assert set(wanted.has) == {"1", "1.1", "1.1.1", "2", "2.1", "2.1.1"}


def test_what_is_not_wanted_is_passed_over_without_an_upload(world, wanted):
    event = world.add_event("3", "hidden")
    world.deliver()
    event.setTitle("Other")
    world.found.move_event(event, world.found.category("x"))
    world.commit()
    world.deliver()
    world.found.remove_event(event)
    world.commit()
    world.deliver()
    assert (wanted.known, wanted.deleted) == (set(), [])
    assert position(world) == world.manager.getTrack().mostRecentTS()


def test_an_event_that_leaves_the_category_is_deleted_at_the_target(world, wanted):
    event = world.add_event("1", "open")
    world.deliver()
    world.found.move_event(event, world.found.category("hidden"))
    world.commit()
    world.deliver()
    assert wanted.has == {}
    assert wanted.deleted == ["1", "1.1", "1.1.1"]


def test_an_event_that_comes_into_the_category_is_sent_with_all_in_it(world, wanted):
    event = world.add_event("1", "hidden")
    world.deliver()
    world.found.move_event(event, world.found.category("inner"))
    world.commit()
    world.deliver()
    assert set(wanted.has) == {"1", "1.1", "1.1.1"}


def test_a_deleted_event_is_deleted_at_the_target(world, wanted):
    event = world.add_event("1", "open")
    world.deliver()
    world.found.remove_event(event)
    world.commit()
    world.deliver()
    assert wanted.has == {}
    assert wanted.needless == []


def test_a_branch_that_leaves_the_category_is_deleted_though_an_event_left_it_meanwhile(
    world, wanted
):
    event = world.add_event("1", "inner")
    world.deliver()
    world.found.move_category(world.found.category("inner"), world.found.category("hidden"))
    world.commit()
    world.found.move_event(event, world.found.category("x"))
    world.commit()
    world.deliver()
    assert "1" not in wanted.has


def test_a_target_gets_the_kinds_that_it_wants_alone(world):
    replica = world.add_agent("a", ChangeFilter.of_texts(types="contribution"))
    event = world.add_event("1")
    world.found.remove_event(world.add_event("2"))
    world.commit()
    world.deliver()
    assert set(replica.has) == {"1.1"}
    event.removeContribution(event.contributions["1"])
    world.commit()
    world.deliver()
    assert replica.has == {}


def test_a_class_is_wanted_by_its_name_or_with_its_module(world):
    names = ChangeFilter.of_texts(classes="Conference,export.model.contribution.SubContribution")
    replica = world.add_agent("a", names)
    world.add_event("1")
    world.deliver()
    assert set(replica.has) == {"1", "1.1.1"}
