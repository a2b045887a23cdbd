"""Changes that are gathered follow their transaction: rolled back is never told, kept always is."""

from __future__ import annotations

import pytest
import transaction
import zope.event
from persistent import Persistent
from zope.lifecycleevent import ObjectModifiedEvent

from export.model import listeners
from export.model.catalogue import catalogue
from export.model.category import Category
from export.model.conference import Conference
from livesync import ActionWrapper, SyncManager
from livesync.capture import zope_lifecycle
from livesync.components import ObjectChangeListener, RequestListener, RequestListenerContext
from livesync.watching import unwatch, watch
from scheduler.store import using


class Page(Persistent):
    def __init__(self, name):
        self.name = name

    def getId(self):
        return self.name


@pytest.fixture
def found(manager, connection, commit):
    found = catalogue(connection)
    found.add_category(Category("c"))
    for name in ("1", "2"):
        found.add_event(Conference(name, f"Event {name}"), found.category("c"))
    commit()
    listener = ObjectChangeListener()
    listeners.subscribe(listener)
    yield found
    listeners.unsubscribe(listener)


@pytest.fixture
def told(manager, connection):
    """Return what other connections may know: a sorted list of (id, sorted actions)."""

    def told():
        connection.transaction_manager.abort()
        track = SyncManager.getDBInstance().getTrack()
        return sorted((one.getObjectId(), sorted(one.getActions())) for _, one in track)

    return told


def remove(found):
    found.remove_event(found.event("1"))


def rename(found):
    found.event("1").setTitle("Another title")


def move(found):
    found.move_event(found.event("1"), found.root)


def close(found):
    found.event("1").setProtection(1)


def create(found):
    found.add_event(Conference("3", "New"), found.category("c"))


CHANGES = [remove, rename, move, close, create]


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_that_a_savepoint_takes_back_is_not_told(found, told, connection, commit, change):
    with RequestListenerContext():
        savepoint = connection.transaction_manager.savepoint()
        change(found)
        savepoint.rollback()
        found.event("2").setDescription("kept")
    commit()

    assert told() == [("2", ["data_changed"])]


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_before_a_savepoint_is_told_as_it_was(found, told, connection, commit, change):
    with RequestListenerContext():
        found.event("1").setDescription("kept")
        savepoint = connection.transaction_manager.savepoint()
        change(found)
        savepoint.rollback()
    commit()

    assert told() == [("1", ["data_changed"])]


def test_savepoints_within_savepoints_are_followed(found, told, connection, commit):
    manager = connection.transaction_manager
    with RequestListenerContext():
        outer = manager.savepoint()
        found.event("2").setDescription("kept for a while")
        inner = manager.savepoint()
        remove(found)
        inner.rollback()
        found.event("1").setDescription("taken back")
        outer.rollback()
        found.category("c").setDescription("kept")
    commit()

    assert told() == [("c", ["data_changed"])]


def test_an_aborted_part_of_a_request_is_not_told(found, told, connection, commit):
    with RequestListenerContext():
        remove(found)
        connection.transaction_manager.abort()
        found.event("2").setDescription("kept")
    commit()

    assert told() == [("2", ["data_changed"])]


def test_of_a_retry_loop_in_a_request_the_last_try_is_told(found, told, connection):
    manager = connection.transaction_manager
    with RequestListenerContext():
        for number, attempt in enumerate(manager.attempts(3)):
            with attempt:
                found.event("2" if number else "1").setDescription("new")
                if not number:
                    raise transaction.interfaces.TransientError

    assert told() == [("2", ["data_changed"])]


def test_a_change_committed_within_a_request_is_told_with_that_commit(found, told, commit):
    with RequestListenerContext():
        found.event("1").setDescription("new")
        commit()
        assert told() == [("1", ["data_changed"])]
        found.event("2").setDescription("lost")

    assert told() == [("1", ["data_changed"])]


def test_a_change_that_survives_a_failed_request_is_told(found, told, commit):
    def request():
        with RequestListenerContext():
            remove(found)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        request()
    commit()

    assert told() == [("1", ["deleted"])]


def test_a_change_by_a_hook_of_the_commit_is_told(found, told, connection, commit):
    manager = connection.transaction_manager
    with RequestListenerContext():
        found.event("1").setDescription("new")
        manager.get().addBeforeCommitHook(found.event("2").setDescription, ("late",))
        commit()

    assert told() == [("1", ["data_changed"]), ("2", ["data_changed"])]


def test_a_request_that_is_repeated_without_an_abort_begins_anew(found, told, commit):
    request = RequestListener()
    request.requestStarted()
    rename(found)
    request.requestRetry(None, 1)
    found.event("2").setDescription("kept")
    request.requestFinished()
    commit()

    assert told() == [("2", ["data_changed"])]


def test_transactions_of_two_connections_in_a_request_are_apart(
    found, told, commit, open_connection
):
    other = open_connection()
    with RequestListenerContext():
        found.event("1").setDescription("new")
        with using(other):
            catalogue(other).event("2").setDescription("taken back")
            other.transaction_manager.abort()
    commit()

    assert told() == [("1", ["data_changed"])]


@pytest.fixture
def watched():
    watch(Page)
    yield
    unwatch()


@pytest.fixture
def page(watched, open_connection):
    """A stored page of a class that is watched."""
    connection = open_connection()
    with using(connection):
        page = connection.root()["page"] = Page("start")
        connection.transaction_manager.commit()
        SyncManager.getDBInstance().reset()
        connection.transaction_manager.commit()
        yield page


def explicitly(page):
    second = 1_000_000
    SyncManager.getDBInstance().add(second, ActionWrapper(second, page, {"deleted"}, page.name))


def announced(page):
    zope_lifecycle.connect()
    try:
        zope.event.notify(ObjectModifiedEvent(page))
    finally:
        zope_lifecycle.disconnect()


def stored(page):
    page.text = "new"


def joined(page):
    page._p_jar.root()["another"] = Page("another")


@pytest.mark.parametrize("change", [explicitly, announced, stored, joined])
@pytest.mark.parametrize("in_request", [True, False])
def test_however_it_is_recorded_what_is_taken_back_is_not_told(page, change, in_request):
    manager = page._p_jar.transaction_manager
    request = RequestListener()
    if in_request:
        request.requestStarted()
    page._p_jar.root()["count"] = 1
    savepoint = manager.savepoint()
    change(page)
    manager.savepoint()
    savepoint.rollback()
    request.requestFinished()
    manager.commit()

    assert list(SyncManager.getDBInstance().getTrack()) == []


@pytest.mark.parametrize("change", [stored, joined])
def test_of_a_watched_class_what_survives_a_savepoint_is_told(page, change):
    manager = page._p_jar.transaction_manager
    change(page)
    savepoint = manager.savepoint()
    page.text = "taken back"
    savepoint.rollback()
    manager.commit()

    assert len(list(SyncManager.getDBInstance().getTrack())) == 1
