"""Tasks wait for signals, which come before or after, with a payload, or not in time.

Covers `scheduler.tasks.signal_wait`, `scheduler.inbox.signals` and `scheduler.dispatch.signalling`.
"""

from __future__ import annotations

import pytest
import transaction
from persistent.mapping import PersistentMapping

from scheduler import TASK_STATUS_FAILED, TASK_STATUS_QUEUED, WaitForSignal, attempt
from scheduler.dispatch import signalling
from scheduler.dispatch.repair import Repair
from scheduler.inbox import signals
from scheduler.testing import Relay
from tests.scheduler.odd_tasks import damage
from tests.scheduler.sample_signals import Rounds, approve, approve_twice, either, insist


def enqueued(relay, function, *arguments):
    call = function.enqueue(*arguments)
    relay.run_due()
    return call


def given(relay, name, payload=None):
    relay.client.signal(name, payload)
    relay.run_due()


def test_a_task_waits_for_its_signal_and_has_the_payload(relay: Relay):
    call = enqueued(relay, approve, 17)
    assert call.getStatus() == TASK_STATUS_QUEUED
    assert call.getAttempts()[-1].message == "waits for the signal 'approved-17'"
    given(relay, "approved-16", "another")
    relay.clock.advance(3600)
    assert relay.run_due() == []
    given(relay, "approved-17", {"by": "anna"})
    assert call.getResult() == {"by": "anna"}


def test_the_attempt_that_waits_leaves_no_changes(relay: Relay):
    enqueued(relay, approve, 17)
    assert "notes" not in relay.connection.root()
    given(relay, "approved-17")
    assert relay.connection.root()["notes"] == ["began 17"]


def test_a_signal_that_comes_before_the_wait_is_kept_for_one_task(relay: Relay):
    given(relay, "approved-17", "early")
    first, second = enqueued(relay, approve, 17), enqueued(relay, approve, 17)
    assert first.getResult() == "early"
    assert second.getStatus() == TASK_STATUS_QUEUED


def test_a_signal_that_is_aborted_is_none(relay: Relay):
    call = enqueued(relay, approve, 17)
    relay.client.signal("approved-17")
    transaction.abort()
    assert relay.run_due() == []
    assert call.getStatus() == TASK_STATUS_QUEUED


def test_all_tasks_that_wait_receive_a_signal_in_steps(relay: Relay, monkeypatch):
    monkeypatch.setattr(signalling, "STEP", 2)
    calls = [approve.enqueue(17) for _ in range(5)]
    relay.run_due()
    given(relay, "approved-17", "all")
    assert [call.getResult() for call in calls] == ["all"] * 5
    assert enqueued(relay, approve, 17).getStatus() == TASK_STATUS_QUEUED  # none is left over


def test_a_payload_may_be_a_stored_object(relay: Relay):
    order = relay.connection.root()["order"] = PersistentMapping()
    call = enqueued(relay, approve, 17)
    given(relay, "approved-17", order)
    assert call.getResult() is order


def test_a_task_goes_on_when_the_signal_has_not_come_in_time(relay: Relay):
    call = enqueued(relay, approve, 17, 60)
    relay.clock.advance(59)
    assert relay.run_due() == []
    relay.clock.advance(2)
    relay.run_due()
    assert call.getResult() == "not approved"
    given(relay, "approved-17", "late")
    assert enqueued(relay, approve, 17).getResult() == "late"


def test_a_task_that_does_not_expect_the_timeout_fails_for_good(relay: Relay):
    call = enqueued(relay, insist)
    relay.clock.advance(61)
    relay.run_due()
    assert call.getStatus() == TASK_STATUS_FAILED
    assert call.getAttempts()[-1].message.endswith("'never' has not come in time")


def test_a_task_may_wait_for_one_after_the_other(relay: Relay):
    call = enqueued(relay, approve_twice)
    given(relay, "second", 2)
    given(relay, "first", 1)
    assert call.getResult() == [1, 2]


def test_a_timeout_is_remembered_while_another_signal_is_waited_for(relay: Relay):
    call = enqueued(relay, either)
    relay.clock.advance(61)
    relay.run_due()
    given(relay, "first", "too late")
    assert call.getStatus() == TASK_STATUS_QUEUED
    given(relay, "second", "in time")
    assert call.getResult() == "in time"


def test_each_occurrence_waits_anew(relay: Relay):
    rounds = Rounds()
    relay.enqueue(rounds)
    relay.run_due()
    given(relay, "round", 1)
    relay.clock.advance(3601)
    relay.run_due()
    given(relay, "round", 2)
    assert len(rounds.getOccurrences()) == 2
    assert rounds.getResult() == 2


def test_a_paused_task_receives_the_signal_and_goes_on_when_it_is_resumed(relay: Relay):
    call = enqueued(relay, approve, 17)
    relay.client.pauseTask(call)
    given(relay, "approved-17", "meanwhile")
    assert call.isPaused()
    relay.client.resumeTask(call)
    relay.run_due()
    assert call.getResult() == "meanwhile"


def test_a_task_that_was_cancelled_takes_no_signal(relay: Relay):
    call = enqueued(relay, approve, 17)
    relay.client.cancelTask(call)
    given(relay, "approved-17", "for the next")
    assert enqueued(relay, approve, 17).getResult() == "for the next"
    relay.client.startFailedTask(call)
    relay.run_due()
    assert call.getStatus() == TASK_STATUS_QUEUED


def test_old_signals_and_too_many_are_dropped(relay: Relay, monkeypatch):
    monkeypatch.setattr(signals, "KEPT", 50)
    for number in range(100):
        relay.client.signal(f"approved-{number}", number)
    relay.run_due()
    assert enqueued(relay, approve, 49).getStatus() == TASK_STATUS_QUEUED
    assert enqueued(relay, approve, 50).getResult() == 50
    relay.clock.advance(31 * 86400)
    assert enqueued(relay, approve, 51).getStatus() == TASK_STATUS_QUEUED
    given(relay, "another")
    found = signals.signals_of(relay.connection)
    assert len(found._kept) == len(found._order) == 1


@pytest.mark.parametrize(
    ("name", "timeout"), [("", None), ("a" * 201, None), (17, None), ("approved", -1)]
)
def test_what_is_no_name_and_no_time_is_refused(relay: Relay, name, timeout):
    with pytest.raises((TypeError, ValueError), match=r"signal|timeout"):
        raise WaitForSignal(name, timeout)


def test_outside_of_an_attempt_nothing_is_waited_for(relay: Relay):
    with pytest.raises(RuntimeError, match="no attempt"):
        attempt.waitForSignal("approved")
    with pytest.raises(TypeError, match="plain data"):
        relay.client.signal("approved", object())


def test_waits_are_found_again_where_the_shelf_was_damaged(relay: Relay):
    call = enqueued(relay, approve, 17)
    other = relay.connection.root()["other"] = PersistentMapping()
    transaction.commit()
    names = signals.signals_of(relay.connection)._p_oid
    damage(relay.database, names, other._p_oid, "cut to a byte")
    transaction.begin()
    relay.connection.cacheMinimize()
    assert "the signals" in Repair(relay.connection, 1).carry_out()
    transaction.commit()
    given(relay, "approved-17", "after the repair")
    assert call.getResult() == "after the repair"
