"""What a task changed and was taken back appears in the feed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import transaction

from export.model import listeners
from export.model.access import Protection
from export.model.catalogue import catalogue
from export.model.category import Category
from export.model.conference import Conference
from export.model.contribution import Contribution
from livesync import ActionWrapper, SyncManager
from livesync.agent import SyncAgent
from livesync.components import ObjectChangeListener
from livesync.records.change_filter import EVERYTHING, ChangeFilter
from livesync.records.reduction import STATUS_CHANGED, STATUS_CREATED, STATUS_DELETED, reduce
from livesync.track.action import as_entry
from livesync.track.compensation import opposites
from scheduler.insight.undo import undo

START = datetime(2026, 3, 1, 9, tzinfo=UTC)


def rename(event):
    event.setTitle("Another")


def remove(event):
    catalogue(event._p_jar).remove_event(event)


def add(category):
    event = Conference("2", "New")
    event.setDates(START, START + timedelta(days=1))
    catalogue(category._p_jar).add_event(event, category)


@pytest.fixture
def catalogue_of(relay):
    """A category and an event in it; what happens from then on is recorded for an agent."""
    found = catalogue(relay.connection)
    category = Category("c", "Talks")
    found.add_category(category)
    event = Conference("1", "Old")
    event.setDates(START, START + timedelta(days=1))
    found.add_event(event, category)
    manager = SyncManager.getDBInstance()
    manager.registerNewAgent(SyncAgent("a", "A", "", 60))
    transaction.commit()
    listener = ObjectChangeListener()
    listeners.subscribe(listener)
    yield category, event
    listeners.unsubscribe(listener)


def recorded(relay, wanted=EVERYTHING):
    """Return what was recorded since the last time, {id: status}."""
    manager = SyncManager.getDBInstance()
    data = list(manager.getTrack().pointerIterItems("a"))
    manager.advance("a", manager.getTrack().mostRecentTS())
    transaction.commit()
    return {record[1]: record[2] for record in reduce(data, wanted=wanted)}


def ran_and_undone(relay, function, obj):
    task = relay.client.call(function, obj)
    relay.run_due()
    recorded(relay)
    relay.clock.advance(1000)
    done = undo(relay.connection, task)
    now = int(relay.clock.now.timestamp())
    for action in opposites(done.entries, now, done.made):
        SyncManager.getDBInstance().add(now, action)
    transaction.commit()
    return recorded(relay)


def test_an_undone_change_is_a_change(relay, catalogue_of):
    _, event = catalogue_of
    assert ran_and_undone(relay, rename, event)["1"] == STATUS_CHANGED
    assert event.getTitle() == "Old"


def test_an_undone_deletion_is_a_creation(relay, catalogue_of):
    _, event = catalogue_of
    assert ran_and_undone(relay, remove, event)["1"] & STATUS_CREATED
    assert catalogue(relay.connection).event("1") is event


def test_an_undone_creation_is_a_deletion(relay, catalogue_of):
    category, _ = catalogue_of
    assert ran_and_undone(relay, add, category)["2"] & STATUS_DELETED


def undone_by_zodb(relay, change, wanted=EVERYTHING):
    """Commit what *change* does, let it be read, undo it as ZODB does; return what is recorded."""
    change()
    transaction.get().note("to be undone")
    transaction.commit()
    recorded(relay)
    relay.clock.advance(1000)
    (info,) = [i for i in relay.database.undoLog(0, 100) if i["description"] == "to be undone"]
    relay.database.undo(info["id"])
    transaction.commit()
    return recorded(relay, wanted)


def test_a_transaction_undone_by_zodb_appears_as_changes(relay, catalogue_of):
    _, event = catalogue_of
    rename(event)
    transaction.commit()
    assert undone_by_zodb(relay, lambda: event.setTitle("Third"))["1"] == STATUS_CHANGED
    assert event.getTitle() == "Another"


def move(event, category):
    catalogue(event._p_jar).move_event(event, category)


def test_an_undone_move_takes_the_event_out_of_what_an_agent_wants(relay, catalogue_of):
    category, event = catalogue_of
    event.addContribution(Contribution("1", "A talk"))
    move(event, catalogue(relay.connection).root)
    transaction.commit()
    wanted = ChangeFilter.of_texts(categories="c")
    undone = undone_by_zodb(relay, lambda: move(event, category), wanted)
    assert undone == {"1": STATUS_CHANGED | STATUS_DELETED, "1.1": STATUS_CHANGED | STATUS_DELETED}


def test_an_undone_protection_is_a_change_of_all_that_it_concerns(relay, catalogue_of):
    _, event = catalogue_of
    event.addContribution(Contribution("1", "A talk"))
    transaction.commit()
    undone = undone_by_zodb(relay, lambda: event.setProtection(Protection.RESTRICTED))
    assert undone == {"1": STATUS_CHANGED, "1.1": STATUS_CHANGED}


def test_an_object_unmade_by_zodb_s_undo_appears_as_deleted(relay, catalogue_of):
    category, event = catalogue_of
    rename(event)
    transaction.commit()
    assert undone_by_zodb(relay, lambda: add(category))["2"] & STATUS_DELETED


def test_a_change_recorded_after_zodb_s_undo_is_not_lost(relay, catalogue_of):
    _, event = catalogue_of
    rename(event)
    transaction.commit()
    undone_by_zodb(relay, lambda: event.setTitle("Third"))
    relay.clock.advance(1000)
    event.setTitle("Fourth")
    transaction.commit()
    assert recorded(relay)["1"] == STATUS_CHANGED


def test_entries_of_other_logs_are_passed_over():
    action = ActionWrapper(1, None, {"created"}, "a")
    others = [(), ("add", action), (action, "agent", 5)]
    (opposite,) = opposites([*others, as_entry(7, action), (7, action)], 9)
    assert (opposite.getObjectId(), opposite.getActions()) == ("a", {"deleted"})
