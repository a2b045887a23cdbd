"""Views of a database for the tests of the scheduler."""

from __future__ import annotations

from functools import partial

import pytest

from scheduler.store import using
from tests.scheduler.harness import View
from tests.scheduler.sample_flows import run_all


@pytest.fixture
def open_view(database):
    """Open views of the database, each with a transaction manager of its own."""
    opened = []

    def open_one():
        view = View(database)
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
def ran(relay):
    """Run all that is due; return the names of the steps that were run, in this order."""
    return partial(run_all, relay)


@pytest.fixture
def one_commit(monkeypatch):
    """See to it that tasks share a commit, however slow the machine is."""
    monkeypatch.setattr("scheduler.worker.runner.GROUP_SECONDS", 600)
