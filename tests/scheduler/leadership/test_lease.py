"""One scheduler of a database leads, others stand by; whoever was replaced writes nothing."""

from __future__ import annotations

import time
from contextlib import ExitStack

import pytest
from ZODB.POSException import ConflictError

from scheduler import nowutc
from scheduler.errors import LeadershipLost, SchedulerException
from scheduler.leadership import lease as timing
from scheduler.leadership.lease import Election
from scheduler.leadership.roster import roster_of
from scheduler.store import transact
from tests.scheduler.harness import Running, running
from tests.scheduler.sample_tasks import Count
from tests.waiting import wait_for

BEATS = {"BEAT_SECONDS": 0.1, "STANDBY_SECONDS": 0.2, "SILENCE_SECONDS": 2.5}


@pytest.fixture
def candidate(database):
    """Let schedulers by their names be candidates of the database."""
    with ExitStack() as stack:
        yield lambda name: stack.enter_context(Election(database, name))


@pytest.fixture
def stopped(monkeypatch):
    """The next candidate's heart stands still, as that of a stopped process does."""
    monkeypatch.setattr(Election, "_beat_on", lambda self: None)
    monkeypatch.setattr(timing, "FIRST_SILENCE_SECONDS", 0.3)


def add_one(connection):
    root = connection.root()
    root["count"] = root.get("count", 0) + 1


def test_one_candidate_leads_and_the_other_waits_until_it_leaves(database, candidate):
    second = candidate("second")
    with Election(database, "first") as first:
        assert first.seek(is_patient=True) is not None
        assert second.seek(is_patient=True) is None
    assert second.seek(is_patient=True) is not None


def test_an_impatient_candidate_is_told_who_leads(candidate):
    candidate("first").seek(is_patient=False)
    with pytest.raises(SchedulerException, match=r"runs on .* with pid"):
        candidate("second").seek(is_patient=False)


def test_a_leader_is_given_its_lease_again(candidate):
    first = candidate("first")
    assert first.seek(is_patient=True)._term == first.seek(is_patient=True)._term == 1


def test_an_office_is_left_only_by_who_holds_it(view, database, candidate):
    candidate("first").seek(is_patient=True)
    with Election(database, "another"):
        pass
    assert view.status()["state"] is True


def test_a_leader_that_beats_keeps_its_office(monkeypatch, candidate):
    for name, seconds in BEATS.items():
        monkeypatch.setattr(timing, name, seconds)
    candidate("first").seek(is_patient=True)
    second = candidate("second")
    end = time.monotonic() + 4
    while time.monotonic() < end:
        assert second.seek(is_patient=True) is None
        time.sleep(0.1)


def test_a_leader_whose_heart_stands_still_is_replaced(view, candidate, stopped):
    lease = candidate("first").seek(is_patient=True)
    second = candidate("second")
    wait_for(lambda: second.seek(is_patient=True))

    with pytest.raises(LeadershipLost, match="leads now"):
        lease.transact(add_one, note="too late")
    assert lease.is_lost
    view.refresh()
    assert "count" not in view.root


def test_a_transaction_begun_under_a_lost_lease_cannot_be_committed(
    view, database, candidate, stopped
):
    lease = candidate("first").seek(is_patient=True)
    second = candidate("second")
    view.refresh()
    add_one(view.connection)
    lease.guard(view.connection)
    wait_for(lambda: second.seek(is_patient=True))
    with pytest.raises(ConflictError):
        view.commit()


def test_an_office_that_was_never_loaded_is_no_way_around_the_guard(view, database, candidate):
    lease = candidate("first").seek(is_patient=True)
    view.refresh()
    office = roster_of(view.connection)
    office._p_deactivate()
    add_one(view.connection)
    lease.guard(view.connection)
    transact(database, lambda own: roster_of(own).take("second"))
    with pytest.raises(ConflictError):
        view.commit()


def test_a_leader_that_beats_at_the_last_moment_is_not_replaced(
    database, candidate, stopped, monkeypatch
):
    first, second = candidate("first"), candidate("second")
    first.seek(is_patient=True)
    wait_for(lambda: second._leader.still((1, 1)) > 0.4)
    looked = second._look

    def look_while_it_beats(connection, is_patient):
        found = looked(connection, is_patient)
        if found is not None:
            transact(database, first._enter)
        return found

    monkeypatch.setattr(second, "_look", look_while_it_beats)
    assert second.seek(is_patient=True) is None


def test_nobody_beats_while_nobody_watches(view, database, monkeypatch, candidate):
    monkeypatch.setattr(timing, "BEAT_SECONDS", 0.02)
    candidate("first").seek(is_patient=True)
    before = database.lastTransaction()
    time.sleep(0.3)
    assert database.lastTransaction() == before


def test_a_stand_by_is_seen_until_it_has_gone(view, database, candidate):
    candidate("first").seek(is_patient=True)
    with Election(database, "second"):
        view.refresh()
        (standby,) = roster_of(view.connection).standing_by()
        assert standby.beats == 1
    view.refresh()
    assert roster_of(view.connection).standing_by() == []


def test_a_standby_runs_the_tasks_when_the_leader_has_ended(view, database):
    with running(database) as first:
        view.until(lambda: view.client.getStatus()["state"])
        with running(database, standby=True) as second:
            view.until(lambda: roster_of(view.connection).standing_by())
            assert not second.scheduler.leads
            first.scheduler.shutdown()
            assert first.join() == 0
            view.enqueue(Count(nowutc()))
            view.until_counts(finished=1)
            assert second.scheduler.leads
    assert second.result == 0


def test_a_scheduler_that_was_replaced_stands_by(view, database):
    run = Running(database)
    wait_for(lambda: run.scheduler.leads)
    with Election(database, "another"):
        transact(database, lambda own: roster_of(own).take("another"))
        wait_for(lambda: not run.scheduler.leads)
        assert run.is_alive()
    wait_for(lambda: run.scheduler.leads)
    run.scheduler.shutdown()
    assert run.join() == 0


def test_a_standby_can_be_stopped(view, database):
    with running(database):
        view.until(lambda: view.client.getStatus()["state"])
        second = Running(database, standby=True)
        view.until(lambda: roster_of(view.connection).standing_by())
        second.scheduler.shutdown()
        assert second.join() == 0
        assert view.status()["state"] is True
