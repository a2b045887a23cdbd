"""Rates of limit keys: so many starts of a key in any period, and no other key in the way.

Covers `scheduler.tasks.key_limits`.
"""

from __future__ import annotations

import math
from collections import Counter
from datetime import timedelta

import pytest
import transaction

from scheduler import nowutc, task
from scheduler.dispatch.dispatcher import _tend_shelves
from scheduler.shelves.queue_slot import slot_of
from scheduler.store import transact
from scheduler.values.rate_limit import Limit, Starts
from tests.scheduler.harness import running
from tests.scheduler.sample_declared import fetch, in_order
from tests.scheduler.sample_tasks import Noop


def starts_of(calls):
    return sorted(call.getAttempts()[0].started for call in calls if call.getAttempts())


def test_a_key_is_started_as_often_as_its_rate_allows_in_any_period(relay):
    calls = [fetch.enqueue("a", number) for number in range(10)]
    other = fetch.enqueue("b", 0)
    for _ in range(60):
        relay.run_due()
        relay.clock.advance(1)
    started = starts_of(calls)
    assert len(started) == 10
    for first, fourth in zip(started, started[3:], strict=False):
        assert fourth - first >= timedelta(seconds=10)
    assert started[-1] - started[0] <= timedelta(seconds=36)
    assert starts_of([other]) == [started[0]]
    order = [call.getAttempts()[0].started for call in calls]
    assert order == sorted(order)


def test_a_task_that_waits_for_a_rate_can_be_moved_and_deleted(relay):
    calls = [fetch.enqueue("a", number) for number in range(6)]
    relay.run_due()
    relay.client.dequeue(calls[3])
    relay.client.moveTask(calls[4], relay.clock.now + timedelta(hours=1))
    transaction.commit()
    relay.run_due()
    for _ in range(3):
        relay.clock.advance(11)
        relay.run_due()
    made = [bool(call.getAttempts()) for call in calls]
    assert made == [True, True, True, False, False, True]
    assert relay.client.getStatus()["waiting"] == 1


def test_a_key_with_many_waiting_calls_is_not_looked_at_before_its_time(relay):
    for number in range(50):
        fetch.enqueue("a", number)
    relay.run_due()
    before = relay.database.lastTransaction()
    for _ in range(3):
        relay.run_due()
    module = relay.client._module
    assert module.queues.next_due({}) >= relay.clock.now.timestamp() + 9
    assert module.backlog._parked_length() == 47
    # Only the look itself is committed, if anything: nothing moves.
    assert relay.database.lastTransaction() == before


def test_a_key_with_rate_and_order_is_worked_off_in_order(view, database):
    for number in range(6):
        in_order.enqueue(7, number)
    view.commit()
    with running(database, workers=3):
        view.until_counts(finished=6)
    assert view.root["in order"] == tuple(range(6))


class Keyed(Noop):
    def limitKey(self):
        return "a key"


WRONG = [("keyLimit", 0), ("keyRate", -1), ("keyPeriod", 0), ("keyPeriod", math.nan)]


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_a_limit_that_a_release_spoils_is_the_reason_and_stops_no_other(
    relay, monkeypatch, name, value
):
    monkeypatch.setattr(Keyed, "keyRate", 5)
    date = nowutc() + timedelta(seconds=60)
    relay.client.enqueueAll([Keyed(date) for _ in range(3)])
    call = fetch.enqueueAt(date, "b", 0)
    relay.run_due()
    relay.clock.advance(61)
    monkeypatch.setattr(Keyed, name, value)
    relay.run_due()
    assert call.getAttempts()
    reasons = [aside.reason for aside in relay.client._module.aside()]
    assert len(reasons) == 3
    assert all(name.removeprefix("key").lower() in reason.lower() for reason in reasons)


@pytest.mark.parametrize("value", [None, 1e308, 10**400, math.nan])
def test_a_task_with_a_spoiled_date_in_its_queue_stops_no_other(relay, value):
    date = nowutc() + timedelta(seconds=60)
    tasks = [Keyed(date) for _ in range(3)]
    relay.client.enqueueAll(tasks)
    relay.run_due()
    tasks[1]._queued_for = value
    transaction.commit()
    relay.clock.advance(61)
    for _ in range(3):
        relay.run_due()
    assert [bool(each.getAttempts()) for each in tasks[::2]] == [True, True]


def test_a_longer_period_and_a_clock_set_back_hold_a_key_up_for_two_periods_at_most():
    before = Limit(rate=2, period=1.0)
    starts = Starts().add(before, 1e9, 2)
    assert not starts.allowed(before, 1e9)
    assert starts.wait(before._replace(period=10.0), 1e9) <= 1e9 + 20
    assert starts.wait(before, 1e9 - 3600) <= 1e9 - 3598


def test_starts_of_long_ago_are_forgotten(relay):
    for number in range(5):
        fetch.enqueue(f"key {number}", number)
    relay.run_due()
    rates = relay.client._module.backlog._rates
    assert len(rates._starts) == 5
    relay.clock.advance(100)
    transact(relay.database, _tend_shelves)
    transaction.begin()
    assert len(rates._starts) == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"keyRate": 0}, "keyRate is 0; it must be a whole number from 1"),
        ({"keyPeriod": 0}, "keyPeriod is 0; it must be a number of seconds above 0"),
    ],
)
def test_a_rate_that_is_none_is_refused(options, message):
    with pytest.raises(ValueError, match=message):

        @task(limitKey="a", **options)
        def declared_here():
            pass


def test_the_rate_of_a_class_is_checked_where_it_is_queued(relay):
    class Odd(Noop):
        keyRate = 1.5

        def limitKey(self):
            return "a"

    with pytest.raises(ValueError, match="keyRate is 1"):
        slot_of(Odd(nowutc()))


def test_nothing_is_started_twice_over_a_restart(view, database):
    for number in range(4):
        in_order.enqueue(8, number)
    view.commit()
    with running(database):
        view.until(lambda: view.root.get("in order"))
    with running(database):
        view.until_counts(finished=4)
    assert Counter(view.root["in order"]) == Counter(range(4))


def test_a_key_that_nothing_may_start_for_is_not_looked_at_time_and_again():
    assert Starts().wait(Limit(rate=0, period=1), 1000.0) >= 1030
