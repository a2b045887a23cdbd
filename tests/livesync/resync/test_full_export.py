"""Everything there is, as of one moment, and the changes from exactly there.

Covers `scheduler.store.pack_hold`.
"""

from __future__ import annotations

import json
import time

import pytest
import transaction

from export.model import listeners
from export.model.catalogue import catalogue
from export.model.conference import Conference
from export.model.contribution import Contribution
from livesync import PushSyncAgent, RecordUploader, SyncManager
from livesync.components import ObjectChangeListener
from livesync.delivery.deliverer import Deliverer
from livesync.errors import AgentBusyException, AgentExecutionException
from livesync.resync import full_export
from livesync.resync.full_export import FullExport
from scheduler.store import transact
from scheduler.store.pack_hold import holds_of


class Table(PushSyncAgent):
    """Its target is a table of titles; it may be down."""

    def _run(self, data, logger=None, monitor=None, dbi=None, task=None):
        return ToTable(logger, self).iterateOver(data, dbi)


class ToTable(RecordUploader):
    def _uploadBatch(self, batch):
        for obj, obj_id, status in batch:
            if len(uploads) == limit[0]:
                raise ConnectionError("the target is down")
            uploads.append(obj_id)
            if status & 1:
                table.pop(obj_id, None)
            else:
                table[obj_id] = obj.getTitle()


table = {}
uploads = []
limit = [None]


@pytest.fixture(autouse=True)
def empty_table(monkeypatch):
    table.clear()
    uploads.clear()
    limit[0] = None
    monkeypatch.setattr(full_export, "PART", 2)


@pytest.fixture
def recording():
    listener = ObjectChangeListener()
    listeners.subscribe(listener)
    yield
    listeners.unsubscribe(listener)


@pytest.fixture
def found(connection, commit, recording):
    """Events "0" to "9", the first of them with a contribution."""
    found = catalogue(connection)
    for number in range(10):
        found.add_event(Conference(str(number), f"title {number}"))
    found.event("0").addContribution(Contribution("1", "a talk"))
    SyncManager.getDBInstance().registerNewAgent(Table("t", "", "", 1))
    commit()
    return found


def titles(found):
    expected = {event_id: event.getTitle() for event_id, event in found.events.items()}
    return {**expected, "0.1": "a talk"} if "0" in expected else expected


def send(database, **options):
    return FullExport(database, "t", **options).send()


def test_everything_is_sent_once(database, found):
    assert send(database).records == 11
    assert table == titles(found)
    assert sorted(uploads) == sorted(titles(found))


def test_the_agent_follows_from_exactly_there(database, found, commit):
    position = send(database).position
    uploads.clear()
    found.event("3").setTitle("new")
    commit()
    assert str(Deliverer(database, "t").deliver(None)) == "up to date: 1 records"
    assert uploads == ["3"]
    assert table == titles(found)
    with database.transaction() as connection:
        assert SyncManager.getDBInstance(connection).getAgent("t").getLastTS() > position


def test_changes_made_meanwhile_come_afterwards(database, found, connection, commit):
    def change(records):
        found.event("9").setTitle(f"after {records}")
        found.event("1").setTitle(f"after {records}")
        if records > 5 and found.event("5"):
            found.remove_event(found.event("5"))
        commit()

    send(database, progress=change)
    assert table["9"] == "title 9"  # as of the moment of the snapshot
    Deliverer(database, "t").deliver(None)
    assert table == titles(found)


def test_a_full_export_that_was_broken_off_goes_on_behind_its_last_key_on_the_same_view(
    database, found, commit
):
    limit[0] = 5
    with pytest.raises(AgentExecutionException, match=r"the target is down.*to go on"):
        send(database)
    sent = list(uploads)
    found.event("9").setTitle("changed meanwhile")
    commit()
    limit[0] = None
    send(database)
    assert table["9"] == "title 9"
    # What had been accepted as a part is not sent again.
    assert [name for name in uploads if uploads.count(name) > 1] in ([], [sent[-1]] * 2)
    Deliverer(database, "t").deliver(None)
    assert table == titles(found)


def test_nothing_else_is_delivered_before_it_is_sent_whole(database, found):
    limit[0] = 5
    with pytest.raises(AgentExecutionException):
        send(database)
    with pytest.raises(AgentBusyException, match="is not complete"):
        Deliverer(database, "t").deliver(None)


def test_packing_is_held_back_until_it_is_sent(database, found):
    limit[0] = 5
    with pytest.raises(AgentExecutionException):
        send(database)
    assert transact(database, lambda own: holds_of(own).limit()) <= time.time()
    limit[0] = None
    send(database)
    assert transact(database, lambda own: holds_of(own).limit()) is None


def test_where_the_view_was_packed_away_it_goes_on_with_a_later_one(database, found, commit):
    limit[0] = 5
    with pytest.raises(AgentExecutionException):
        send(database)
    for event in list(found.events.values()):
        event.setTitle("changed meanwhile")
    commit()
    database.pack(time.time() + 10)
    limit[0] = None
    send(database)
    Deliverer(database, "t").deliver(None)
    assert table == titles(found)


def test_a_full_export_can_begin_anew(database, found):
    limit[0] = 5
    with pytest.raises(AgentExecutionException):
        send(database)
    limit[0] = None
    assert send(database, anew=True).records == 11


def test_an_object_deleted_before_an_agent_had_heard_of_it_is_deleted_at_the_target(
    database, found, commit
):
    Deliverer(database, "t").deliver(None)
    found.remove_event(found.event("4"))
    commit()
    send(database)
    assert table == titles(found)


def test_an_inventory_of_one_s_own_lists_what_there_is(database, found, commit):
    def inventory(connection, behind):
        if behind < "b":
            yield "b", [catalogue(connection).event("2")]

    send(database, inventory=inventory)
    assert table["2"] == "title 2"


def test_two_at_once_are_refused(database, found):
    def again(records):
        with pytest.raises(AgentBusyException):
            send(database)

    assert send(database, progress=again).records == 11
    assert json.dumps(table)
    transaction.abort()


def test_an_object_seen_beyond_the_position_and_gone_again_is_deleted(
    database, found, commit, monkeypatch
):
    send_rest = FullExport._send_rest

    def add_and_send_rest(self, position):
        found.add_event(Conference("late", "between position and view"))
        commit()
        return send_rest(self, position)

    monkeypatch.setattr(FullExport, "_send_rest", add_and_send_rest)
    send(database)
    assert "late" in table
    found.remove_event(found.event("late"))
    commit()
    Deliverer(database, "t").deliver(None)
    assert table == titles(found)
