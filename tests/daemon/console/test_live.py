"""Browsers hear of commits.

Covers `daemon.console.live`.
"""

from __future__ import annotations

import threading

import pytest

from daemon.console import live
from daemon.console.live import Live
from scheduler.store import transact
from scheduler.store.overlay import snapshot_of
from scheduler.store.read_view import read_view


def last_transaction(database):
    with read_view(database) as connection:
        return snapshot_of(connection)


def threads():
    return [each for each in threading.enumerate() if each.name == "console"]


@pytest.fixture
def telling(database):
    """The live connection of a database, with the health of a daemon in `health`."""
    found = Live(database, lambda: found.fault)
    found.fault = ""
    yield found
    found.close()


def change(database):
    transact(database, lambda found: found.root().update(count=found.root().get("count", 0) + 1))


def next_event(events):
    return next(event for event in events if event.startswith(b"event"))


def test_a_commit_is_told(database, telling):
    events = telling.events(last_transaction(database))
    assert next(events).startswith(b"retry")
    change(database)
    assert next_event(events) == live.CHANGED


def test_what_was_committed_before_the_connection_is_told_at_once(database, telling):
    seen = last_transaction(database)
    change(database)
    events = telling.events(seen)
    assert [next(events)[:5], next(events)[:5]] == [b"retry", b"event"]


def test_a_change_of_health_is_told(database, telling, monkeypatch):
    monkeypatch.setattr(live, "PING_SECONDS", 0.05)
    events = telling.events(last_transaction(database))
    assert [next(events), next(events)][1] == live.PING
    telling.fault = "the scheduler is not running"
    assert next_event(events)


def test_without_viewers_nobody_listens(database, telling):
    assert threads() == []
    events = [telling.events(0) for _ in range(2)]
    [next(each) for each in events]
    assert len(threads()) == 1
    [each.close() for each in events]
    assert threads() == []


def test_one_viewer_too_many_is_sent_away(telling, monkeypatch):
    monkeypatch.setattr(live, "VIEWERS", 2)
    events = [telling.events(0) for _ in range(3)]
    assert events[2] is None
    events[0].close()
    assert telling.events(0) is not None


def test_the_end_of_the_daemon_ends_all_connections(database, telling):
    events = telling.events(last_transaction(database))
    next(events)
    threading.Timer(0.1, telling.close).start()
    assert b"event" not in b"".join(events)
