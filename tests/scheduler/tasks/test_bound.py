"""Tasks that are bound to objects: due when these say, and not when they are gone.

Covers `scheduler.dispatch.rebinding`, `scheduler.inbox.bindings`.
"""

from __future__ import annotations

import os
import tempfile
from base64 import encodebytes
from contextlib import suppress
from datetime import timedelta

import pytest
import transaction
from hypothesis import given, settings
from hypothesis import strategies as st
from persistent import Persistent
from persistent.mapping import PersistentMapping
from ZODB.POSException import ConflictError, UndoError

from scheduler import TASK_STATUS_FINISHED, TASK_STATUS_NONE, SchedulerModule
from scheduler.clock import TimeSource, timed_by
from scheduler.inbox.bindings import bindings_of
from scheduler.store import open_database, using
from scheduler.tasks import BoundTask
from scheduler.testing import Relay, StandingClock
from tests.scheduler.harness import running
from tests.scheduler.sample_tasks import count

MINUTE = timedelta(minutes=1)


class Meeting(Persistent):
    """Lies in a folder, or nowhere; its date may be the folder's."""

    folder = None
    date = None

    def when(self):
        return self.folder.date if self.date is None else self.date


class Folder(PersistentMapping):
    date = None


class Reminder(BoundTask):
    def getStartOn(self):
        return self.subject.when() if self.subject.folder is not None else None

    def run(self):
        count("count")
        self.ran_for = self.subject.when()


def put(folder, name, meeting):
    folder[name] = meeting
    meeting.folder = folder


@pytest.fixture
def folder(relay):
    return relay.connection.root().setdefault("folder", Folder())


@pytest.fixture
def meeting(relay, folder):
    """A meeting in ten minutes, with a reminder of it."""
    meeting = Meeting()
    meeting.date = relay.clock.now + 10 * MINUTE
    put(folder, "a", meeting)
    relay.enqueue(Reminder(meeting))
    relay.run_due()
    return meeting


def reminder_of(meeting):
    (task,) = bindings_of(meeting._p_jar).of(meeting)
    return task


def waiting(relay):
    transaction.commit()
    relay.run_due()
    queue = SchedulerModule.getDBInstance(relay.connection).getWaitingQueue()
    return [(due, task.subject) for due, task in queue]


def test_a_task_is_due_when_its_object_says(relay, meeting):
    assert relay.run_due() == []
    relay.clock.advance(600)
    (task,) = relay.run_due()
    assert task.ran_for == meeting.date


def test_a_task_moves_with_its_object_in_the_same_commit(relay, meeting):
    before = waiting(relay)
    meeting.date += 5 * MINUTE
    relay.client.follow(meeting)
    transaction.abort()
    assert waiting(relay) == before

    meeting.date += 5 * MINUTE
    relay.client.follow(meeting)
    assert waiting(relay) == [(int(meeting.date.timestamp()), meeting)]
    meeting.date -= 12 * MINUTE
    relay.client.follow(meeting)
    assert waiting(relay) == [(int(meeting.date.timestamp()), meeting)]


def test_a_task_goes_with_its_object_and_is_back_with_it(relay, meeting, folder):
    del folder["a"]
    meeting.folder = None
    relay.client.follow(meeting)
    assert waiting(relay) == []
    assert reminder_of(meeting).getStatus() == TASK_STATUS_NONE

    put(folder, "a", meeting)
    relay.client.follow(meeting)
    assert waiting(relay) == [(int(meeting.date.timestamp()), meeting)]


def test_a_task_is_back_when_the_deletion_is_undone(relay, meeting, folder):
    del folder["a"]
    meeting.folder = None
    relay.client.follow(meeting)
    transaction.commit()
    assert waiting(relay) == []
    tid = meeting._p_serial

    undo(relay.connection, tid)
    assert waiting(relay) == [(int(meeting.date.timestamp()), meeting)]


def test_a_task_that_has_run_does_so_again_for_a_date_to_come_only(relay, meeting):
    relay.clock.advance(600)
    assert len(relay.run_due()) == 1
    relay.client.follow(meeting)
    meeting.date -= MINUTE
    relay.client.follow(meeting)
    assert waiting(relay) == []
    assert reminder_of(meeting).getStatus() == TASK_STATUS_FINISHED

    meeting.date += 20 * MINUTE
    relay.client.follow(meeting)
    assert waiting(relay) == [(int(meeting.date.timestamp()), meeting)]
    relay.clock.advance(1200)
    assert len(relay.run_due()) == 1
    assert relay.connection.root()["count"] == 2


def test_a_task_for_an_object_without_a_date_rests_until_it_has_one(relay, folder):
    meeting = Meeting()
    put(folder, "a", meeting)
    relay.enqueue(Reminder(meeting))
    assert waiting(relay) == []

    meeting.date = relay.clock.now - MINUTE
    relay.client.follow(meeting)
    transaction.commit()
    assert len(relay.run_due()) == 1


def test_a_dequeued_task_no_longer_follows(relay, meeting):
    relay.client.dequeue(reminder_of(meeting))
    assert waiting(relay) == []
    meeting.date += MINUTE
    relay.client.follow(meeting)
    assert waiting(relay) == []


def test_an_object_that_has_gone_while_its_task_was_given_out_is_not_reminded_of(
    relay, meeting, folder
):
    relay.clock.advance(600)
    given_out = relay._claim_due

    def give_out_and_delete(connection):
        claims = given_out(connection)
        connection.get(meeting._p_oid).folder = None
        return claims

    relay._claim_due = give_out_and_delete
    relay.run_due()
    assert "count" not in relay.connection.root()
    assert waiting(relay) == []


def test_a_change_made_while_the_first_such_task_is_enqueued_is_not_missed(view, open_view):
    view.root["folder"] = folder = Folder()
    meeting = Meeting()
    meeting.date = TimeSource.get().getCurrentTime() + 10 * MINUTE
    put(folder, "a", meeting)
    view.commit()
    beside = open_view()
    beside.refresh()

    meeting.date += MINUTE
    view.client.follow(meeting)
    beside.enqueue(Reminder(beside.root["folder"]["a"]))
    with pytest.raises(ConflictError):
        view.commit()
    view.refresh()
    meeting.date += MINUTE
    view.client.follow(meeting)
    view.commit()
    assert [op for op, _ in SchedulerModule.getDBInstance(view.connection).getSpool()] == [
        "add",
        "follow",
    ]


def test_a_daemon_lets_tasks_follow(view, database):
    view.root["folder"] = folder = Folder()
    meeting = Meeting()
    meeting.date = TimeSource.get().getCurrentTime() + 60 * MINUTE
    put(folder, "a", meeting)
    view.enqueue(Reminder(meeting))
    with running(database, sleep_interval=0.2):
        view.until_counts(waiting=1)
        meeting.folder = None
        view.client.follow(meeting)
        view.commit()
        view.until_counts()
        tid = meeting._p_serial
        undo(view.connection, tid)
        view.until_counts(waiting=1)


def undo(connection, tid):
    """Undo the transaction *tid* as ZODB does; UndoError where others stand in the way."""
    manager = transaction.TransactionManager()
    try:
        connection.db().undo(encodebytes(tid).rstrip(b"\n"), manager.begin())
        manager.commit()
    finally:
        manager.abort()
        connection.transaction_manager.begin()


MEETINGS = st.integers(0, 3)
FOLDERS = st.integers(0, 1)
MINUTES = st.none() | st.integers(-30, 30)

DEEDS = st.one_of(
    st.tuples(st.just("create"), FOLDERS, MINUTES),
    st.tuples(st.just("date"), MEETINGS, MINUTES),
    st.tuples(st.just("move"), MEETINGS, FOLDERS),
    st.tuples(st.just("date of folder"), FOLDERS, MINUTES),
    st.tuples(st.just("delete"), MEETINGS, st.none()),
    st.tuples(st.just("undo"), st.none(), st.none()),
    st.tuples(st.just("wait"), st.integers(1, 30), st.none()),
)


class Calendar:
    """Meetings in two folders, which are changed in many ways."""

    def __init__(self, relay):
        self.relay = relay
        self.root = relay.connection.root()
        self.root["folders"] = [Folder(), Folder()]
        self.root["meetings"] = []
        self.deletions = []
        self.ran = {}
        transaction.commit()

    def do(self, deed, which, value):
        changed = getattr(self, f"_{deed.replace(' ', '_')}")(which, value)
        for meeting in changed:
            self.relay.client.follow(meeting)
        transaction.commit()
        if deed == "delete" and changed:
            self.deletions.append(changed[0]._p_serial)
        for task in self.relay.run_due():
            self.ran[task.subject] = task.ran_for

    def afresh(self):
        """Return what is due and when, from the meetings alone and what they were told of."""
        now = self.relay.clock.now
        wanted = [
            (meeting.when(), meeting)
            for meeting in self.root["meetings"]
            if meeting.folder is not None and meeting.when() is not None
        ]
        return {
            (int(date.timestamp()), meeting)
            for date, meeting in wanted
            if meeting not in self.ran or (date != self.ran[meeting] and date > now)
        }

    def _at(self, minutes):
        return None if minutes is None else self.relay.clock.now + minutes * MINUTE

    def _of(self, which):
        meetings = self.root["meetings"]
        return [meetings[which]] if which < len(meetings) else []

    def _create(self, which, minutes):
        meeting = Meeting()
        meeting.date = self._at(minutes)
        put(self.root["folders"][which], len(self.root["meetings"]), meeting)
        self.root["meetings"] = [*self.root["meetings"], meeting]
        self.relay.client.enqueue(Reminder(meeting))
        return []

    def _date(self, which, minutes):
        for meeting in self._of(which):
            meeting.date = self._at(minutes)
        return self._of(which)

    def _move(self, which, folder):
        for meeting in self._of(which):
            if meeting.folder is not None:
                del meeting.folder[which]
            put(self.root["folders"][folder], which, meeting)
        return self._of(which)

    def _date_of_folder(self, which, minutes):
        folder = self.root["folders"][which]
        folder.date = self._at(minutes)
        return [meeting for meeting in self.root["meetings"] if meeting.folder is folder]

    def _delete(self, which, _):
        deleted = [meeting for meeting in self._of(which) if meeting.folder is not None]
        for meeting in deleted:
            del meeting.folder[which]
            meeting.folder = None
        return deleted

    def _undo(self, *_):
        if self.deletions:
            with suppress(UndoError):
                undo(self.relay.connection, self.deletions.pop())
        return []

    def _wait(self, minutes, _):
        self.relay.clock.advance(60 * minutes)
        return []


@pytest.mark.soak
@settings(max_examples=500 if os.environ.get("SOAK") else 30)
@given(st.lists(DEEDS, max_size=20))
def test_bound_tasks_are_always_due_as_their_objects_say(deeds):
    with timed_by(StandingClock()) as clock, tempfile.TemporaryDirectory() as folder:
        database = open_database(f"file://{folder}/relay.fs")
        connection = database.open()
        try:
            with using(connection):
                calendar = Calendar(Relay(database, connection, clock))
                for deed in deeds:
                    calendar.do(*deed)
                    assert set(waiting(calendar.relay)) == calendar.afresh()
        finally:
            transaction.abort()
            connection.close()
            database.close()
