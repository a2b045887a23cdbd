"""Targets have what they may see: nothing that is hidden, and no word of what they never had.

Covers `livesync.resync.inventory`.
"""

from __future__ import annotations

import pytest
import transaction
from ZODB.POSException import ConflictError

from export.model.catalogue import catalogue
from livesync import SyncManager
from livesync.components import RequestListenerContext
from scheduler.store import using
from tests.livesync.records.world import is_closed, is_secret

EVENT = ["7", "7.1", "7.1.1"]


def test_an_object_that_is_moved_to_where_it_is_hidden_and_deleted_there_is_withdrawn(
    world, replica
):
    world.manager.exclude(categories=["hidden"])
    event = world.add_event("7")
    world.deliver()
    world.found.move_event(event, world.found.category("x"))
    world.commit()
    world.found.remove_event(event)
    world.commit()
    world.deliver()

    assert replica.has == {}
    assert replica.deleted == EVENT


def test_in_one_request_it_is_withdrawn_just_so(world, replica):
    world.manager.exclude(categories=["hidden"])
    event = world.add_event("7")
    world.deliver()
    with RequestListenerContext():
        world.found.move_event(event, world.found.category("x"))
        world.found.remove_event(event)
    world.commit()
    world.deliver()

    assert replica.deleted == EVENT


def test_with_a_category_that_is_moved_all_is_withdrawn_and_deleted_there(world, replica):
    world.manager.exclude(categories=["hidden"])
    event = world.add_event("7", "inner")
    world.deliver()
    world.found.move_category(world.found.category("inner"), world.found.category("hidden"))
    world.commit()
    world.found.move_event(event, world.found.category("x"))
    world.commit()
    world.found.remove_event(event)
    world.commit()
    world.deliver()

    assert replica.has == {}
    assert replica.needless == []


@pytest.mark.parametrize("change", [lambda e: e.setTitle("Secret"), lambda e: e.setProtection(1)])
def test_an_object_that_a_function_excludes_is_withdrawn_and_comes_back(world, replica, change):
    world.manager.exclude(functions=[is_secret, is_closed])
    event = world.add_event("7")
    world.deliver()
    change(event)
    world.commit()
    world.deliver()
    assert "7" in replica.deleted
    assert "7" not in replica.has
    event.setTitle("Public")
    event.setProtection(0)
    world.commit()
    world.deliver()

    assert replica.has == world.export("a")
    assert set(replica.has) == set(EVENT)


def test_a_protection_of_a_category_withdraws_what_a_function_excludes_in_it(world, replica):
    world.manager.exclude(functions=[is_closed])
    event = world.add_event("7", "inner")
    world.deliver()
    world.found.category("open").setProtection(1)
    world.commit()
    world.found.remove_event(event)
    world.commit()
    world.deliver()

    assert replica.has == {}
    assert sorted(replica.deleted) == EVENT


@pytest.mark.parametrize("within", ["hidden", "open"])
def test_a_protection_of_a_category_tells_nothing_of_an_excluded_branch(world, replica, within):
    world.manager.exclude(categories=["hidden"])
    world.found.move_category(world.found.category("hidden"), world.found.category("open"))
    for number in range(20):
        world.add_event(str(number), "x")
    world.add_event("77")
    world.deliver()
    world.found.category(within).setProtection(1)
    world.found.root.grant_access("ann")
    world.commit()
    world.deliver()

    assert replica.deleted == []
    assert set(replica.has) == {"77", "77.1", "77.1.1"}


def test_a_category_that_is_hidden_withdraws_nothing_that_was_hidden_in_it(world, replica):
    world.manager.exclude(categories=["hidden", "inner"])
    world.add_event("7", "inner")
    world.add_event("8", "open")
    world.deliver()
    world.found.move_category(world.found.category("open"), world.found.category("hidden"))
    world.commit()
    world.deliver()

    assert replica.has == {}
    assert set(replica.deleted) == {"8", "8.1", "8.1.1"}


def test_an_object_that_comes_and_goes_between_two_deliveries_is_not_told(world, replica):
    world.manager.exclude(categories=["hidden"])
    event = world.add_event("7", "hidden")
    for category in ("open", "x", "inner", "hidden"):
        world.found.move_event(event, world.found.category(category))
        world.commit()
    world.deliver()

    assert replica.deleted == []


def test_an_object_that_an_exclusion_hides_is_withdrawn_and_comes_back_with_its_end(world, replica):
    world.add_event("7", "x")
    world.add_event("8", "open")
    world.deliver()
    world.manager.exclude(categories=["hidden"])
    world.commit()
    world.deliver()
    assert replica.deleted == EVENT
    world.manager.exclude()
    world.commit()
    world.deliver()

    assert replica.has == world.export("a")
    assert len(replica.has) == 6


def test_an_exclusion_that_stays_the_same_writes_nothing(world, replica):
    world.manager.exclude(categories=["hidden"])
    world.commit()
    world.manager.exclude(categories=["hidden"])

    assert not world.connection._registered_objects


def test_an_event_hidden_while_its_category_is_moved_by_another_is_withdrawn(world, replica):
    world.manager.exclude(categories=["hidden"])
    world.commit()
    world.deliver()
    other = transaction.TransactionManager()
    connection = world.database.open(transaction_manager=other)
    with using(connection):
        found = catalogue(connection)
        found.move_category(found.category("inner"), found.category("hidden"))
        world.add_event("7", "inner")
        world.deliver()
        assert set(replica.has) == set(EVENT)
        other.commit()
    connection.close()
    world.deliver()

    assert replica.has == {}


@pytest.fixture
def administrator(world):
    """Another connection; what it sees is what there was when it looked first."""
    manager = transaction.TransactionManager()
    connection = world.database.open(transaction_manager=manager)
    yield connection
    manager.abort()
    connection.close()


def exclude_by(connection, **rules):
    """Exclude, and return what commits it."""
    SyncManager.getDBInstance(connection).exclude(**rules)
    return connection.transaction_manager.commit


def test_an_event_that_is_added_and_delivered_while_it_is_hidden_is_withdrawn(
    world, replica, administrator
):
    commit = exclude_by(administrator, categories=["hidden"])
    world.add_event("7", "x")
    world.deliver()
    assert sorted(replica.has) == EVENT
    commit()
    world.deliver()
    assert replica.has == {}


def test_an_event_that_is_moved_and_delivered_while_it_is_hidden_is_withdrawn(
    world, replica, administrator
):
    event = world.add_event("7")
    administrator.sync()
    commit = exclude_by(administrator, categories=["hidden"])
    world.found.move_event(event, world.found.category("x"))
    world.commit()
    world.deliver()
    assert sorted(replica.has) == EVENT
    commit()
    world.deliver()
    assert replica.has == {}


def test_an_event_that_is_added_while_its_category_is_shown_again_is_told(
    world, replica, administrator
):
    world.manager.exclude(categories=["hidden"])
    world.commit()
    world.deliver()
    administrator.sync()
    commit = exclude_by(administrator)
    world.add_event("7", "x")
    world.deliver()
    assert replica.has == {}
    commit()
    world.deliver()
    assert sorted(replica.has) == EVENT


@pytest.mark.parametrize("rules", [{"categories": ["hidden"]}, {}])
def test_a_change_by_an_exclusion_that_ends_meanwhile_is_made_again(world, administrator, rules):
    world.add_agent("a")
    former = {} if rules else {"categories": ["hidden"]}
    world.manager.exclude(**former)
    event = world.add_event("7", "open" if rules else "x")
    world.deliver()
    if rules:
        world.found.move_event(event, world.found.category("x"))
    else:
        event.setTitle("new")
    administrator.sync()
    exclude_by(administrator, **rules)()
    with pytest.raises(ConflictError):
        world.commit()
    world.connection.transaction_manager.abort()
