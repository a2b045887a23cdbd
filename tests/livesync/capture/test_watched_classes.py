"""Changes of any persistent objects: watched classes, lifecycle events, exclusions.

Covers `livesync.capture.zope_lifecycle`, `livesync.objects.exclusion`.
"""

from __future__ import annotations

import pytest
import zope.event
from BTrees.OOBTree import OOBTree
from persistent import Persistent
from persistent.mapping import PersistentMapping
from ZODB import DB
from ZODB.MappingStorage import MappingStorage
from ZODB.POSException import ConflictError
from ZODB.utils import u64
from zope.lifecycleevent import (
    ObjectAddedEvent,
    ObjectModifiedEvent,
    ObjectMovedEvent,
    ObjectRemovedEvent,
)

from livesync import SyncManager
from livesync.capture import zope_lifecycle
from livesync.records.reduction import STATUS_DELETED, reduce
from livesync.watching import unwatch, watch
from scheduler.store import using


class Book(Persistent):
    def __init__(self, title=""):
        self.title = title


class Atlas(Book):
    pass


class Cover(Persistent):
    color = "red"


def atlas_id(atlas):
    return f"atlas-{atlas.title}"


def cover_id(cover):
    return "cover"


def is_secret(obj):
    return getattr(obj, "title", "").startswith("secret")


def breaks(obj):
    raise RuntimeError("no idea")


@pytest.fixture
def watched():
    watch(Book)
    yield
    unwatch()


@pytest.fixture
def connection(watched, connection):
    return connection


@pytest.fixture
def recorded(connection):
    """Return what was recorded since: sets of actions by title, oldest first."""

    def recorded():
        connection.transaction_manager.begin()
        track = SyncManager.getDBInstance().getTrack()
        found = sorted(track.iterate(), key=lambda item: item[0])
        return [(action.getObject().title, action.getActions()) for _, action in found]

    return recorded


def test_a_commit_records_what_it_makes_and_changes(connection, commit, recorded):
    connection.root()["shelf"] = shelf = PersistentMapping()
    shelf["walden"] = Book("Walden")
    commit()
    assert recorded() == [("Walden", {"created"})]
    connection.root()["cover"] = Cover()
    shelf["walden"].title = "Walden, again"
    commit()

    assert ("Walden, again", {"data_changed"}) in recorded()
    assert len(recorded()) == 2


def test_an_object_is_known_by_its_place_in_the_database(connection, commit):
    connection.root()["book"] = book = Book("Walden")
    commit()
    ((_, action),) = SyncManager.getDBInstance().getTrack()

    assert action.getObjectId() == str(u64(book._p_oid))
    assert action.getObject() is book


def test_subclasses_are_watched_too_and_may_be_known_by_another_id(connection, commit):
    watch(Atlas, identify=atlas_id)
    connection.root()["atlas"] = Atlas("World")
    commit()
    ((_, action),) = SyncManager.getDBInstance().getTrack()

    assert action.getObjectId() == "atlas-World"


class Holder:
    """Something that is stored within what holds it."""

    def __init__(self, held):
        self.held = held


def test_new_objects_are_found_however_deep_they_are(connection, commit, recorded):
    one, two = Book("One"), Book("Two")
    one.next, two.next = two, one
    shelf = OOBTree({number: PersistentMapping() for number in range(100)})
    shelf[50]["boxes"] = [(Holder({"book": one}),)]
    connection.root()["shelf"] = shelf
    commit()

    assert sorted(recorded()) == [("One", {"created"}), ("Two", {"created"})]


def test_an_object_that_cannot_be_stored_fails_as_ever(connection, commit, recorded):
    connection.root()["book"] = book = Book("Walden")
    book.reader = lambda: None
    with pytest.raises(Exception, match="pickle"):
        commit()
    connection.transaction_manager.abort()

    assert recorded() == []


def test_an_abort_records_nothing(connection, commit, recorded):
    connection.root()["book"] = Book("Walden")
    connection.transaction_manager.abort()
    commit()

    assert recorded() == []


def test_a_conflict_records_nothing(connection, commit, open_connection, recorded):
    connection.root()["book"] = Book("Walden")
    commit()
    other = open_connection()
    other.root()["book"].title = "theirs"
    connection.root()["book"].title = "ours"
    other.transaction_manager.commit()
    with pytest.raises(ConflictError):
        commit()
    connection.transaction_manager.abort()

    assert [actions for _, actions in recorded()].count({"data_changed"}) == 1


def test_an_object_stored_by_savepoints_is_recorded_once(connection, commit, recorded):
    connection.root()["one"] = Book("One")
    connection.transaction_manager.savepoint()
    connection.root()["two"] = Book("Two")
    savepoint = connection.transaction_manager.savepoint()
    connection.root()["three"] = Book("Three")
    connection.transaction_manager.savepoint()
    savepoint.rollback()
    commit()

    assert sorted(recorded()) == [("One", {"created"}), ("Two", {"created"})]


def test_watching_goes_together_with_changes_recorded_explicitly(connection, commit, manager):
    connection.root()["book"] = Book("Walden")
    manager.add(100, "explicit")
    commit()
    manager.add(300, "explicit again")
    connection.root()["book"].title = "changed"
    commit()

    values = [value for _, value in manager.getTrack()]
    assert len(values) == 4
    assert {"explicit", "explicit again"} <= {v for v in values if isinstance(v, str)}


def test_a_class_that_is_watched_no_more_is_not_recorded(connection, commit, recorded):
    unwatch(Book)
    connection.root()["book"] = Book("Walden")
    commit()

    assert recorded() == []


def test_only_persistent_classes_can_be_watched():
    with pytest.raises(TypeError, match="int cannot be watched"):
        watch(int)


@pytest.mark.parametrize(
    "exclusion",
    [{"classes": [Atlas]}, {"classes": [f"{__name__}:Atlas"]}, {"functions": [is_secret]}],
)
def test_classes_and_functions_exclude(connection, commit, recorded, exclusion):
    SyncManager.getDBInstance().exclude(**exclusion)
    connection.root()["atlas"] = Atlas("secret places")
    connection.root()["book"] = Book("Walden")
    commit()

    assert recorded() == [("Walden", {"created"})]


def test_an_object_that_becomes_secret_is_withdrawn(connection, commit):
    manager = SyncManager.getDBInstance()
    manager.exclude(functions=[is_secret])
    shelf = connection.root()["shelf"] = PersistentMapping(
        {"walden": Book("Walden"), "atlas": Atlas("secret places")}
    )
    commit()
    shelf["walden"].title = "secret life"
    shelf["atlas"].title = "secret ways"
    commit()
    data = list(manager.getTrack())

    assert len(data) == 2
    record, *others = reduce(data, excluded=manager.exclusion.excludes)
    assert others == []
    assert record[0] is shelf["walden"]
    assert record[2] & STATUS_DELETED


def test_a_function_that_fails_excludes_nothing(connection, commit, recorded, caplog):
    SyncManager.getDBInstance().exclude(functions=[breaks])
    connection.root()["book"] = Book("Walden")
    commit()

    assert recorded() == [("Walden", {"created"})]
    assert "breaks" in caplog.text


def test_a_function_without_a_name_cannot_exclude(connection):
    with pytest.raises(ValueError, match="module:function"):
        SyncManager.getDBInstance().exclude(functions=[lambda obj: True])


@pytest.fixture
def events(connection):
    unwatch()
    zope_lifecycle.connect()
    zope_lifecycle.connect()
    yield
    zope_lifecycle.disconnect()


def test_lifecycle_events_are_recorded(events, connection, commit, recorded):
    shelf, attic = PersistentMapping(), PersistentMapping()
    shelf.title, attic.title = "shelf", "attic"
    connection.root()["shelf"], connection.root()["attic"] = shelf, attic
    commit()
    shelf["b"] = book = Book("Walden")
    zope.event.notify(ObjectAddedEvent(book, shelf, "b"))
    zope.event.notify(ObjectModifiedEvent(book))
    zope.event.notify(ObjectMovedEvent(book, shelf, "b", attic, "b"))
    zope.event.notify(ObjectRemovedEvent(book, attic, "b"))
    zope.event.notify(ObjectModifiedEvent("not persistent"))
    commit()

    assert sorted(recorded(), key=str) == sorted(
        [
            ("shelf", {"data_changed"}),
            ("Walden", {"created"}),
            ("Walden", {"data_changed"}),
            ("Walden", {"moved"}),
            ("Walden", {"deleted"}),
        ],
        key=str,
    )


def test_no_event_is_recorded_after_the_end(connection, commit, recorded, events):
    zope_lifecycle.disconnect()
    connection.root()["book"] = book = Book("Walden")
    zope.event.notify(ObjectAddedEvent(book, connection.root(), "book"))
    commit()

    assert recorded() == []


def test_a_class_is_watched_on_connections_that_are_open_already(connection, commit, recorded):
    connection.root()["cover"] = cover = Cover()
    commit()
    watch(Cover, identify=cover_id)
    try:
        cover.title = "Walden"
        commit()
    finally:
        unwatch(Cover)

    assert recorded() == [("Walden", {"data_changed"})]


def test_a_class_is_watched_in_a_database_of_another_make(watched):
    database = DB(MappingStorage())
    with database.transaction() as connection, using(connection):
        connection.root()["book"] = Book("Walden")
    with database.transaction() as connection, using(connection):
        ((_, action),) = SyncManager.getDBInstance().getTrack()
    database.close()

    assert action.getActions() == {"created"}
