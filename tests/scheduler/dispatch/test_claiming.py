"""Named queues, priorities, keys, and the limits on them."""

from __future__ import annotations

from datetime import timedelta
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ZODB.utils import u64

from scheduler import SchedulerModule, nowutc
from scheduler.dispatch.tick import Tick
from scheduler.store import current
from scheduler.tasks import OneShotTask
from scheduler.tasks.function import task
from scheduler.tasks.retry import Retry
from scheduler.values.rate_limit import Limit, Starts
from tests.scheduler.harness import running


def note(entry):
    root = current().root()
    root["notes"] = (*root.get("notes", ()), entry)


class Letter(OneShotTask):
    """Notes its name when it is run."""

    queueName = "mail"

    def __init__(self, name, start=None):
        super().__init__(start or nowutc())
        self.name = name

    def run(self):
        note(self.name)


class Urgent(Letter):
    queueName = ""
    priority = 10


class Idle(Letter):
    queueName = ""
    priority = -1


class Ordinary(Letter):
    queueName = ""


class ForCustomer(Letter):
    """One at a time for each customer, whose name is the first letter of its own."""

    queueName = ""
    alone = True

    def limitKey(self):
        return self.name[0]


class Fragile(ForCustomer):
    """One whose stored state may become of no use."""


def unreadable(task, state):
    raise ValueError("written by a later version")


class InOrder(ForCustomer):
    """Fails at first; the next one of its customer waits until it has succeeded."""

    inOrder = True
    maxTries = 3
    retries: ClassVar = {ValueError: Retry(first=0.05, longest=0.05)}

    def run(self):
        if not self.getAttempts():
            raise ValueError("not yet")
        super().run()


class HandDriven:
    """A tick of a scheduler without workers: what it gives out, and what comes back."""

    def __init__(self, view):
        self.view = view
        self.module = SchedulerModule.getDBInstance(view.connection)

    def give(self, room=100, now=None, caps=None):
        moves = Tick(self.module)
        for instruction in self.module.getSpool().take(1000):
            moves.instructions.perform(instruction)
        moment = (now or nowutc()).timestamp()
        claims = moves.claiming.claim(moment, room, caps or {})
        self.view.commit()
        return {self.module.getTaskById(claim.tid).name: claim for claim in claims}

    def end(self, claim):
        Tick(self.module).settlement.put_back(claim)
        task = self.module.getTaskById(claim.tid)
        self.view.client.dequeue(task)
        self.view.commit()


@pytest.fixture
def tick(view):
    return HandDriven(view)


def enqueue(view, kind, names, start=None):
    view.enqueue(*(kind(name, start) for name in names))


def test_no_more_of_a_queue_run_at_a_time_than_its_limit_says(view, client, tick):
    client.limitQueue("mail", atOnce=2)
    enqueue(view, Letter, "abc")
    given = tick.give()
    assert list(given) == ["a", "b"]
    assert tick.give() == {}
    tick.end(given["a"])
    assert list(tick.give()) == ["c"]


def test_a_full_queue_is_in_nobodys_way(view, client, tick):
    client.limitQueue("mail", atOnce=0)
    enqueue(view, Letter, map(str, range(500)))
    enqueue(view, Ordinary, ["x"])
    assert list(tick.give()) == ["x"]
    assert tick.module.queues.next_due({}) is None
    assert client.getStatus()["waiting"] == 500


def test_this_schedulers_own_limit_counts_too(view, client, tick):
    client.limitQueue("mail", atOnce=3)
    enqueue(view, Letter, "abcd")
    assert len(tick.give(caps={"mail": 1})) == 1


def test_a_limit_can_be_taken_away(view, client, tick):
    client.limitQueue("mail", atOnce=0)
    enqueue(view, Letter, "a")
    assert tick.give() == {}
    client.limitQueue("mail")
    assert list(tick.give()) == ["a"]


def test_the_queues_can_be_looked_at(view, client, tick):
    client.limitQueue("mail", atOnce=1, rate=5, period=60)
    enqueue(view, Letter, "abc")
    tick.give()
    assert client.getQueues() == {
        "mail": {"waiting": 2, "running": 1, "atOnce": 1, "rate": 5, "period": 60}
    }


@pytest.mark.parametrize(
    ("arguments", "culprit"),
    [
        ({"name": ""}, "name"),
        ({"name": "mail", "atOnce": -1}, "atOnce"),
        ({"name": "mail", "rate": 1.5}, "rate"),
        ({"name": "mail", "period": 0}, "period"),
    ],
)
def test_a_value_that_can_be_no_limit_is_refused(client, arguments, culprit):
    with pytest.raises(ValueError, match=culprit):
        client.limitQueue(**arguments)


def test_more_urgent_tasks_go_first(view, tick):
    enqueue(view, Idle, "i")
    enqueue(view, Ordinary, "o")
    enqueue(view, Urgent, "u")
    assert [*tick.give(1), *tick.give(1), *tick.give(1)] == ["u", "o", "i"]


def test_a_flood_in_one_queue_leaves_others_their_share(view, tick):
    enqueue(view, Letter, [f"mail {n}" for n in range(100)])
    enqueue(view, Ordinary, [f"ordinary {n}" for n in range(100)])
    given = list(tick.give(10))
    assert sum(name.startswith("mail") for name in given) == 5


def test_no_more_are_started_in_a_period_than_the_rate_says(view, client, tick):
    client.limitQueue("mail", rate=2, period=10)
    enqueue(view, Letter, "abcde")
    start = nowutc()
    assert len(tick.give(now=start)) == 2
    assert tick.give(now=start + timedelta(seconds=9)) == {}
    assert len(tick.give(now=start + timedelta(seconds=10.6))) == 2


def test_the_scheduler_sleeps_until_the_rate_allows_more(view, client, tick):
    client.limitQueue("mail", rate=1, period=10)
    enqueue(view, Letter, "ab")
    start = nowutc()
    tick.give(now=start)
    due = tick.module.queues.next_due({})
    assert 10 <= due - start.timestamp() <= 11
    assert tick.give(now=start + timedelta(seconds=due - start.timestamp())) != {}


@given(
    rate=st.integers(1, 5),
    period=st.floats(0.1, 100),
    steps=st.lists(st.floats(0, 30), max_size=40),
)
def test_no_period_whatever_sees_more_starts_than_the_rate(rate, period, steps):
    limit, starts, now, begun = Limit(rate=rate, period=period), Starts(), 1e9, []
    for step in steps:
        now += step
        count = int(starts.allowed(limit, now))
        if count:
            starts = starts.add(limit, now, count)
            begun += [now] * count
    for moment in begun:
        assert sum(moment <= each < moment + period for each in begun) <= rate


def test_one_at_a_time_runs_for_a_key_in_the_order_of_dates(view, tick):
    enqueue(view, ForCustomer, ["a1", "b1", "a2", "a3", "b2"])
    first = tick.give()
    assert list(first) == ["a1", "b1"]
    assert tick.give() == {}
    tick.end(first["a1"])
    assert list(tick.give()) == ["a2"]
    tick.end(first["b1"])
    assert list(tick.give()) == ["b2"]


def test_a_task_that_waits_for_its_key_can_be_moved_and_withdrawn(view, client, tick):
    enqueue(view, ForCustomer, ["a1", "a2", "a3"])
    first = tick.give()
    second, third = sorted(task for _, task in tick.module.queues)
    client.dequeue(second)
    client.moveTask(third, nowutc() + timedelta(days=1))
    tick.give()
    tick.end(first["a1"])
    assert tick.give() == {}
    assert client.getStatus()["waiting"] == 1
    assert list(tick.give(now=nowutc() + timedelta(days=2))) == ["a3"]


def test_a_task_that_cannot_be_loaded_is_in_nobodys_way(view, tick, monkeypatch):
    enqueue(view, ForCustomer, ["a1"])
    fragile = view.enqueue(Fragile("a2"))
    first = tick.give()
    monkeypatch.setattr(Fragile, "__setstate__", unreadable)
    view.connection.cacheMinimize()
    tick.end(first["a1"])
    claims = Tick(tick.module).claiming.claim(nowutc().timestamp(), 10, {})
    assert {claim.tid for claim in claims} == {first["a1"].tid, u64(fragile._p_oid)}


def test_a_cancelled_run_lets_its_place_go(view, client, tick):
    client.limitQueue("mail", atOnce=1)
    enqueue(view, Letter, "ab")
    (claim,) = tick.give().values()
    client.cancelTask(tick.module.getTaskById(claim.tid))
    assert list(tick.give()) == ["b"]


def test_a_later_task_does_not_overtake_one_that_is_tried_again(view, database):
    enqueue(view, InOrder, ["a1", "a2", "b1", "a3"])
    with running(database):
        view.until_counts(finished=4)
    assert [name for name in view.root["notes"] if name[0] == "a"] == ["a1", "a2", "a3"]


def test_a_scheduler_that_takes_over_frees_the_places_of_the_one_before(view, database, tick):
    view.client.limitQueue("mail", atOnce=1)
    enqueue(view, Letter, "abc")
    tick.give()  # and is never heard of again
    with running(database, task_max_tries=5):
        view.until_counts(finished=3)
    assert sorted(view.root["notes"]) == ["a", "b", "c"]


@pytest.mark.parametrize("mode", ["threads", "processes"])
def test_limits_hold_while_workers_are_at_it(view, database, mode):
    view.client.limitQueue("mail", atOnce=1)
    enqueue(view, Letter, "abcdefgh")
    enqueue(view, ForCustomer, [f"{key}{n}" for n in range(4) for key in "xy"])
    enqueue(view, Urgent, ["u1", "u2"])
    with running(database, multitask_mode=mode):
        view.until_counts(finished=18)
    notes = view.root["notes"]
    assert [name for name in notes if name in "abcdefgh"] == list("abcdefgh")
    assert [name for name in notes if name[0] == "x"] == ["x0", "x1", "x2", "x3"]


@task(queueName="mail", priority=3)
def greet():
    """Do nothing."""


def test_a_functions_calls_wait_where_its_options_say(view, client, tick):
    call = greet.enqueue()
    view.commit()
    client.limitQueue("mail", atOnce=0)
    tick.give()
    assert client.getQueues()["mail"]["waiting"] == 1
    assert call.priority == 3
