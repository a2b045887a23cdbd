"""Databases, views of them, and clocks for the tests of the scheduler."""

from __future__ import annotations

import pytest
import transaction

from scheduler.clock import TimeSource
from scheduler.store import open_database, using
from tests.scheduler.harness import View


@pytest.fixture
def uri(tmp_path):
    return f"file://{tmp_path}/data.fs"


@pytest.fixture
def database(uri):
    database = open_database(uri)
    yield database
    database.close()


@pytest.fixture
def open_view(database):
    """Open views of the database, each with a transaction manager of its own."""
    opened = []

    def open_one():
        view = View(database, transaction.TransactionManager())
        opened.append(view)
        return view

    yield open_one
    for view in opened:
        view.close()


@pytest.fixture
def view(open_view):
    """The view whose connection is the current one."""
    view = open_view()
    with using(view.connection):
        yield view


@pytest.fixture
def client(view):
    return view.client


@pytest.fixture
def clock():
    """A clock that stands still until it is set: `clock.now = ...`."""

    class Standing(TimeSource):
        now = TimeSource().getCurrentTime()

        def getCurrentTime(self):
            return self.now

    before = TimeSource.get()
    standing = Standing()
    TimeSource.set(standing)
    yield standing
    TimeSource.set(before)


@pytest.fixture
def one_commit(monkeypatch):
    """See to it that tasks share a commit, however slow the machine is."""
    monkeypatch.setattr("scheduler.worker.runner.GROUP_SECONDS", 600)
