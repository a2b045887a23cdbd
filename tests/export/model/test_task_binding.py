"""Reminders of events: due as the catalogue says, whatever becomes of events and categories."""

from __future__ import annotations

from datetime import timedelta

import pytest
import transaction

from export.model import listeners
from export.model.catalogue import catalogue
from export.model.category import Category
from export.model.conference import Conference
from export.model.task_binding import TaskBinding
from scheduler import SchedulerModule
from scheduler.tasks import BoundTask

DAY = timedelta(days=1)


class Reminder(BoundTask):
    """Is due a day before its event begins."""

    def getStartOn(self):
        start = self.subject.getStartDate()
        return start - DAY if start and self.subject.is_listed() else None

    def run(self):
        """Do nothing."""


@pytest.fixture
def found(relay):
    """The catalogue, with one event in a category and a reminder of it."""
    listener = TaskBinding()
    listeners.subscribe(listener)
    found = catalogue(relay.connection)
    found.add_category(Category("2", "Physics"))
    event = Conference("1", "Lecture")
    event.setDates(relay.clock.now + 3 * DAY, relay.clock.now + 4 * DAY)
    found.add_event(event, found.category("2"))
    relay.enqueue(Reminder(event))
    yield found
    listeners.unsubscribe(listener)


@pytest.fixture
def due(relay):
    """When reminders are due, as the scheduler has it once all is committed."""

    def ask():
        transaction.commit()
        relay.run_due()
        return [when for when, _ in SchedulerModule.getDBInstance().getWaitingQueue()]

    return ask


def seconds(date):
    return int(date.timestamp())


def test_a_reminder_moves_with_the_date_of_its_event(found, due):
    event = found.event("1")
    assert due() == [seconds(event.getStartDate() - DAY)]
    event.setDates(event.getStartDate() + DAY, event.getEndDate() + DAY)
    assert due() == [seconds(event.getStartDate() - DAY)]


def test_a_reminder_goes_and_comes_with_its_event(found, due):
    event = found.event("1")
    found.remove_event(event)
    assert due() == []
    found.add_event(event, found.category("2"))
    assert due() == [seconds(event.getStartDate() - DAY)]


def test_a_reminder_stays_when_its_event_is_moved_to_another_category(found, due):
    found.add_category(Category("3", "Chemistry"))
    found.move_event(found.event("1"), found.category("3"))
    assert due() == [seconds(found.event("1").getStartDate() - DAY)]
