"""Steps wait for several others, which end well or not.

Covers `scheduler.shelves.followers`.
"""

from __future__ import annotations

import sys
from datetime import timedelta

import pytest
import transaction

from scheduler import (
    TASK_STATUS_ABORTED,
    TASK_STATUS_FAILED,
    TASK_STATUS_NONE,
    nowutc,
)
from scheduler.shelves.followers import followers_of
from scheduler.tasks import IntervalTask, TaskGroup
from scheduler.tasks.chain import chain
from tests.scheduler.odd_tasks import PASSING, passing_values
from tests.scheduler.sample_flows import Step, breaking, states, steps, total


@pytest.fixture
def client(relay):
    return relay.client


@pytest.fixture
def passing():
    yield passing_values
    sys.modules.pop(PASSING, None)


def test_a_task_runs_when_all_that_it_waits_for_have_finished(client, ran):
    a, b, c, d = steps("a b c d")
    client.enqueue(a)
    client.enqueue(b, after=[a])
    client.enqueue(c, after=a)
    client.enqueue(d, after=[b, c])
    assert ran() in (list("abcd"), list("acbd"))
    assert d.getInputs() == ["b(a())", "c(a())"]


def test_a_blocked_task_says_so_and_waits_for_its_date_too(client, relay, ran):
    a = Step("a", nowutc() + timedelta(hours=1))
    b = Step("b", nowutc() + timedelta(hours=2))
    client.enqueue(a)
    client.enqueue(b, after=[a])
    assert ran() == []
    assert b.isBlocked()
    assert not b.isPaused()
    relay.clock.advance(3600)
    assert ran() == ["a"]
    assert not b.isBlocked()
    relay.clock.advance(3600)
    assert ran() == ["b"]


def test_prerequisites_may_have_ended_already(client, ran):
    breaking("bad")
    good, bad = steps("good bad")
    client.enqueueAll([good, bad])
    ran()
    after_good, after_bad, on_failure = steps("after_good after_bad on_failure")
    client.enqueue(after_good, after=[good])
    client.enqueue(after_bad, after=[good, bad])
    client.enqueue(on_failure, after=[bad], when="failed")
    assert sorted(ran()) == ["after_good", "on_failure"]
    assert states(after_bad) == [TASK_STATUS_ABORTED]


def test_a_failure_aborts_all_that_waits_for_it_and_says_why(client, ran):
    breaking("a")
    a, b, c = steps("a b c")
    client.enqueue(a)
    client.enqueue(b, after=[a])
    client.enqueue(c, after=[b])
    assert ran() == []
    assert states(a, b, c) == [TASK_STATUS_FAILED, TASK_STATUS_ABORTED, TASK_STATUS_ABORTED]
    reason = f"task {a.getId()}, which it waits for, is failed"
    assert b.getAttempts()[-1].message == reason
    assert str(b.getId()) in c.getAttempts()[-1].message


@pytest.mark.parametrize("way", ["cancelTask", "dequeue", "expiry"])
def test_a_step_that_is_cancelled_deleted_or_expired_has_failed(client, relay, ran, way):
    a, b, c = Step("a", nowutc() + timedelta(hours=1)), Step("b"), Step("c")
    a.expiryDate = nowutc() + timedelta(hours=2)
    client.enqueue(a)
    client.enqueue(b, after=[a])
    client.enqueue(c, after=[a], when="ended")
    ran()
    if way == "expiry":
        relay.clock.advance(3 * 3600)
    else:
        getattr(client, way)(a)
    assert ran() == ["c"]
    assert states(b) == [TASK_STATUS_ABORTED]
    assert c.getInputs() == [None]


def test_what_was_aborted_runs_when_the_failed_one_is_started_again(client, ran):
    breaking("a")
    a, other, b, c = steps("a other b c")
    client.enqueueAll([a, other])
    client.enqueue(b, after=[a, other])
    client.enqueue(c, after=[b])
    assert ran() == ["other"]
    client.startFailedTask(b)  # which cannot help: what it waits for has failed
    assert ran() == []
    assert states(b) == [TASK_STATUS_ABORTED]
    breaking()
    client.startFailedTask(a)
    assert ran() == ["a", "b", "c"]


def test_callbacks_of_a_flow_for_success_and_for_failure(client, relay, ran):
    breaking("bad")
    for name, inner in (("good", Step("good")), ("bad", Step("bad"))):
        flow = chain((Step("a"), Step("-a")), TaskGroup([inner]))
        client.enqueue(flow)
        client.enqueue(Step(f"{name}+"), after=flow)
        client.enqueue(Step(f"{name}-"), after=flow, when="failed")
    names = ran()
    assert "good+" in names
    assert "bad-" in names
    assert names.index("bad-") > names.index("-a")
    assert not {"good-", "bad+"} & set(names)
    assert client.getStatus()["failed"] == 2  # bad, and what waits for its success


def test_a_failure_callback_that_is_not_needed_is_gone(client, relay, ran):
    a, never = steps("a never")
    client.enqueue(a)
    client.enqueue(never, after=[a], when="failed")
    ran()
    assert states(never) == [TASK_STATUS_NONE]
    assert not followers_of(relay.connection)


def test_chains_and_groups_wait_for_others_and_are_waited_for(client, ran):
    first = Step("first")
    client.enqueue(first)
    group = TaskGroup([Step("a"), Step("b")])
    client.enqueue(group, after=[first])
    last = Step("last")
    client.enqueue(last, after=[group, first])
    assert [ran()[0], last.getInputs()] == ["first", [["a(first())", "b(first())"], "first()"]]


def test_a_chain_whose_prerequisite_fails_is_never_begun(client, ran):
    breaking("first")
    first, last = steps("first last")
    client.enqueue(first)
    flow = chain(Step("a"), Step("b"))
    client.enqueue(flow, after=[first])
    client.enqueue(last, after=[flow])
    assert ran() == []
    assert flow.hasFinished() is False
    assert states(last) == [TASK_STATUS_ABORTED]
    breaking()
    client.startFailedTask(first)
    assert ran() == ["first", "a", "b", "last"]


def test_a_step_inside_a_chain_is_waited_for_also_if_it_never_has_its_turn(client, ran):
    breaking("bad")
    middle, never = steps("middle never")
    flow = chain(Step("a"), middle, Step("bad"), never)
    client.enqueue(flow)
    after, hopeless = steps("after hopeless")
    client.enqueue(after, after=[middle])
    client.enqueue(hopeless, after=[never])
    assert sorted(ran()) == ["a", "after", "middle"]
    assert states(hopeless) == [TASK_STATUS_ABORTED]


def test_a_blocked_task_can_be_moved_paused_and_resumed_and_stays_blocked(client, relay, ran):
    a, b = Step("a", nowutc() + timedelta(hours=1)), Step("b")
    client.enqueue(a)
    client.enqueue(b, after=[a])
    ran()
    client.moveTask(b, nowutc() - timedelta(hours=1))
    client.pauseTask(b)
    ran()
    assert b.isPaused()
    client.resumeTask(b)
    assert ran() == []
    assert b.isBlocked()
    relay.clock.advance(3600)
    assert ran() == ["a", "b"]


def test_functions_wait_for_others(relay):
    first, second = total.enqueue(1), total.enqueue(2)
    both = total.after(first, second).enqueue(10)
    late = total.after(both, when="ended").enqueueIn(60, 100)
    relay.run_due()
    assert both.getResult() == 13
    relay.clock.advance(60)
    relay.run_due()
    assert late.getResult() == 113


def test_nothing_is_kept_of_followers_that_are_deleted(client, relay, ran):
    a, b = Step("a", nowutc() + timedelta(hours=1)), Step("b")
    client.enqueue(a)
    client.enqueue(b, after=[a])
    ran()
    client.dequeue(b)
    ran()
    assert not followers_of(relay.connection)


def test_a_follower_that_cannot_be_read_is_set_aside_and_stops_no_other(
    relay, client, ran, passing
):
    first, spoiled, other = steps("first spoiled other")
    first.setStartOn(nowutc() + timedelta(seconds=60))
    client.enqueue(first)
    client.enqueue(spoiled, after=[first])
    client.enqueue(other, after=[first])
    assert ran() == []
    spoiled._result = passing(True).Color.BLUE
    transaction.commit()
    passing(False)
    relay.connection.cacheMinimize()
    relay.clock.advance(61)
    assert ran() == ["first", "other"]
    [aside] = client._module.aside()
    assert aside.obj is spoiled
    assert "is not a valid Color" in aside.reason


# Refused at the call


def test_a_step_of_a_flow_cannot_be_enqueued_after_others(client):
    a, b = steps("a b")
    client.enqueue(a)
    chain(b)
    with pytest.raises(ValueError, match="is a step of"):
        client.enqueue(b, after=a)


def test_prerequisites_that_nobody_has_enqueued_are_refused_and_so_are_circles(client):
    a, b = steps("a b")
    with pytest.raises(ValueError, match="there are no circles"):
        client.enqueue(a, after=[b])
    with pytest.raises(ValueError, match="not enqueued"):
        client.enqueue(a, after=[a])
    client.enqueue(a)
    client.enqueue(b, after=[a])
    with pytest.raises(ValueError, match="enqueued"):
        client.enqueue(a, after=[b])


@pytest.mark.parametrize(
    ("after", "when", "error"),
    [
        (["no task"], "finished", TypeError),
        ([IntervalTask(60)], "finished", TypeError),
        (None, "sometimes", ValueError),
    ],
)
def test_bad_prerequisites_are_refused(client, after, when, error):
    first = Step("a")
    client.enqueue(first)
    with pytest.raises(error):
        client.enqueue(Step("b"), after=after or [first], when=when)
