"""Reminders of events: they move with their event, and rest while that is not listed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import transaction
from persistent import Persistent

from scheduler import nowutc
from scheduler.tasks import AlarmTask
from tests.scheduler.harness import running
from tests.scheduler.sample_tasks import Count


class User(Persistent):
    def __init__(self, email):
        self.email = email

    def getEmail(self):
        return self.email


class Meeting(Persistent):
    """An event as an application may have it."""

    timezone = "Europe/Zurich"
    is_there = True

    def __init__(self, start, title="A workshop\non reminders"):
        self.start = start
        self.title = title
        self.talks = ()

    def getId(self):
        return "42"

    def getTitle(self):
        return self.title

    def getStartDate(self):
        return self.start

    def getRoom(self):
        return "Room 7"

    def is_listed(self):
        return self.is_there

    def getParticipants(self):
        return [User("eve@example.org")]

    def getContributionList(self):
        return self.talks


@pytest.fixture
def meeting(view):
    meeting = view.root["meeting"] = Meeting(nowutc() + timedelta(hours=1))
    view.commit()
    return meeting


def alarm_of(meeting, **options):
    alarm = AlarmTask(meeting, 1, **options)
    alarm.addToUser(User("ada@example.org"))
    alarm.setNote("Bring a pen.")
    return alarm


def test_an_alarm_reminds_of_its_event(view, database, inbox, meeting):
    meeting.talks = (Meeting(datetime(2030, 7, 1, 8, 0, tzinfo=UTC), "A talk"),)
    alarm = alarm_of(meeting, relative=timedelta(hours=1))
    alarm.setToAllParticipants()
    alarm.setConfSummary()
    view.enqueue(alarm)
    with running(database):
        view.until_counts(finished=2)
    (envelope,), (message,) = inbox.envelopes, inbox.messages
    assert envelope.rcpt_tos == ["ada@example.org", "eve@example.org"]
    assert message["Subject"].strip().startswith("Reminder: A workshop on reminders (")
    text = message.get_content()
    assert "Place: Room 7" in text
    assert "Bring a pen." in text
    assert "01 July 10:00  A talk" in text


def test_of_an_event_that_has_begun_nobody_is_reminded(view, database, inbox, meeting):
    view.enqueue(alarm_of(meeting, startDateTime=nowutc()))
    meeting.start = nowutc() - timedelta(hours=1)
    view.commit()
    with running(database):
        view.until_counts(finished=1)
    assert inbox.envelopes == []


def test_an_alarm_goes_with_its_event_and_is_back_with_it(view, database, inbox, meeting):
    view.enqueue(alarm_of(meeting, relative=timedelta(minutes=1)))
    with running(database):
        view.until_counts(waiting=1)
        meeting.is_there = False
        view.client.follow(meeting)
        view.commit()
        view.until_counts()
        meeting.is_there = True
        view.client.follow(meeting)
        view.commit()
        view.until_counts(waiting=1)
    assert inbox.envelopes == []


def test_an_alarm_waits_for_an_event_that_was_moved_to_later(view, database, inbox, meeting):
    alarm = view.enqueue(alarm_of(meeting, relative=timedelta(hours=1)))
    meeting.start += timedelta(hours=5)
    view.commit()
    with running(database):
        view.until_counts(waiting=1)
    assert alarm.getDueOn() > nowutc() + timedelta(hours=4)
    assert inbox.envelopes == []


def test_an_alarm_moves_with_its_event_in_the_same_commit(view, database, inbox, meeting):
    view.enqueue(alarm_of(meeting, relative=timedelta(minutes=1)))
    with running(database):
        view.until_counts(waiting=1)
        meeting.start = nowutc() + timedelta(seconds=30)
        view.client.follow(meeting)
        view.commit()
        view.until_counts(finished=2)
    assert len(inbox.envelopes) == 1


def test_a_deleted_alarm_reminds_nobody(view, database, inbox, meeting):
    alarm = view.enqueue(alarm_of(meeting, relative=timedelta(minutes=1)))
    alarm.delete()
    view.commit()
    with running(database):
        view.until(lambda: view.counts() == {})
    assert inbox.envelopes == []


def test_a_clone_reminds_of_another_event_in_the_same_way(meeting):
    alarm = alarm_of(meeting, relative=timedelta(hours=2))
    other = Meeting(nowutc() + timedelta(days=2))
    clone = alarm.clone(other)
    assert clone.getConference() is other
    assert clone.getTimeBefore() == timedelta(hours=2)
    assert clone.getStartOn() == other.start - timedelta(hours=2)
    assert clone.getNote() == "Bring a pen."
    assert clone.getToUserList() == alarm.getToUserList()


def test_an_alarm_without_a_time_is_refused(meeting):
    with pytest.raises(ValueError, match="needs startDateTime, or relative"):
        AlarmTask(meeting, 1)


def test_an_alarm_in_the_callers_aborted_transaction_never_was(view, database, inbox, meeting):
    view.client.enqueue(alarm_of(meeting, startDateTime=nowutc()))
    view.manager.abort()
    transaction.abort()
    with running(database):
        view.enqueue(Count(nowutc()))
        view.until_counts(finished=1)
