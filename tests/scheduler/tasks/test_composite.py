"""Chains and groups stand in each other to any depth, with inputs and compensation.

Covers `scheduler.tasks.entering`, `scheduler.tasks.flow_step`.
"""

from __future__ import annotations

from datetime import timedelta

import pytest

from scheduler import (
    TASK_STATUS_ABORTED,
    TASK_STATUS_FAILED,
    TASK_STATUS_NONE,
    nowutc,
)
from scheduler.tasks import TaskGroup
from scheduler.tasks.chain import chain
from tests.scheduler.sample_flows import Step, breaking, states, steps
from tests.scheduler.sample_unique import Debounced

DEEP = 40
"""How deep the deepest flow of these tests is."""


@pytest.fixture
def client(relay):
    return relay.client


def test_a_group_waits_for_the_last_step_of_a_chain_in_it(client, ran):
    a, b, c, then = steps("a b c then")
    client.enqueueGroup([chain(a, b), c], then)
    names = ran()
    assert names.index("then") == 3
    assert then.getInputs() == ["b(a())", "c()"]


def test_steps_of_a_group_have_the_inputs_of_the_group(client, ran):
    first, left, right, last = steps("first left right last")
    client.enqueueChain(first, TaskGroup([chain(left), right]), last)
    ran()
    assert last.getResult() == "last(left(first()),right(first()))"


def test_groups_and_chains_stand_in_each_other_to_any_depth(client, ran):
    inner = Step("0")
    for depth in range(1, DEEP):
        inner = chain(TaskGroup([inner]), Step(str(depth)))
    client.enqueue(inner)
    assert ran() == [str(depth) for depth in range(DEEP)]
    assert inner.hasFinished() is True


def test_a_group_of_nothing_is_over_at_once_wherever_it_stands(client, ran):
    client.enqueueChain(TaskGroup([]), TaskGroup([TaskGroup([]), chain(TaskGroup([]))]), Step("a"))
    assert ran() == ["a"]


def test_all_steps_have_their_numbers_when_they_are_enqueued(client):
    a, b, c = steps("a b c")
    client.enqueueChain((a, c), b)
    assert None not in (a.getId(), b.getId(), c.getId())
    assert states(a, b, c)[1:] == [TASK_STATUS_NONE] * 2


def test_a_failure_deep_inside_undoes_what_has_finished_the_nearest_first(client, ran):
    breaking("bad")
    a, b, c, d, bad, never = steps("a b c d bad never")
    undo = {name: Step(f"-{name}") for name in "abcd"}
    group = TaskGroup([(b, undo["b"]), chain((c, undo["c"]), (d, undo["d"]), bad)])
    client.enqueueChain((a, undo["a"]), group, never)
    names = ran()
    assert names[-1] == "-a"
    assert sorted(names) == ["-a", "-b", "-c", "-d", "a", "b", "c", "d"]
    assert names.index("-d") < names.index("-c")
    assert undo["d"].getInputs() == ["d(c(a()))"]
    assert states(never) == [TASK_STATUS_NONE]


def test_what_was_undone_once_is_not_undone_again(client, ran):
    breaking("bad")
    bad = Step("bad")
    client.enqueueChain((Step("a"), Step("-a")), bad)
    assert ran() == ["a", "-a"]
    client.startFailedTask(bad)
    assert ran() == []
    assert states(bad) == [TASK_STATUS_FAILED]


def test_a_finished_inner_flow_is_undone_when_a_later_step_fails(client, ran):
    breaking("bad")
    inner = chain((Step("a"), Step("-a")), (Step("b"), Step("-b")))
    client.enqueueChain(inner, Step("bad"))
    assert ran() == ["a", "b", "-b", "-a"]


def test_a_compensation_of_a_group_takes_the_place_of_those_in_it(client, ran):
    breaking("bad")
    undo = Step("undo")
    client.enqueueChain((TaskGroup([(Step("a"), Step("-a"))]), undo), Step("bad"))
    assert ran() == ["a", "undo"]
    assert undo.getInputs() == ["a()"]


def test_a_flow_stands_still_where_undoing_fails_until_that_is_started_again(client, ran):
    breaking("bad", "-b")
    undo = Step("-b")
    after = Step("after")
    flow = chain((Step("a"), Step("-a")), (Step("b"), undo), Step("bad"))
    client.enqueue(flow)
    client.enqueue(after, after=flow, when="failed")
    assert ran() == ["a", "b"]
    breaking()
    client.startFailedTask(undo)
    assert ran() == ["-b", "-a", "after"]


def test_a_failed_step_that_is_started_again_goes_on_through_all_levels(client, ran):
    breaking("b")
    a, b, c, d, e = steps("a b c d e")
    client.enqueueChain(TaskGroup([chain(a, b, c), d]), e)
    assert sorted(ran()) == ["a", "d"]
    breaking()
    client.startFailedTask(b)
    assert ran() == ["b", "c", "e"]


def test_a_deleted_step_fails_its_chain(client, ran):
    a, b = Step("a", nowutc() + timedelta(days=1)), Step("b")
    flow = chain(a, b)
    client.enqueue(flow)
    ran()
    client.dequeue(a)
    ran()
    assert flow.hasFinished() is False


def test_a_step_that_makes_room_for_its_unique_key_fails_its_group(client, ran):
    tomorrow = nowutc() + timedelta(days=1)
    group = client.enqueueGroup([Debounced(tomorrow, "key")], Step("then"), onFailure="continue")
    ran()
    client.enqueue(Debounced(tomorrow, "key"))
    assert ran() == ["then"]
    assert group.getStatus()["failed"] == 1


def test_the_failure_of_a_chain_cancels_the_rest_of_its_group(client, ran):
    breaking("bad")
    waiting = Step("waiting", nowutc() + timedelta(days=1))
    group = TaskGroup([chain(Step("a"), Step("bad")), waiting], "cancel")
    client.enqueue(group)
    assert ran() == ["a"]
    assert states(waiting) == [TASK_STATUS_ABORTED]
    assert group.hasFinished() is False


# Refused at the call


def test_a_task_has_one_place(client):
    a = Step("a")
    TaskGroup([a])
    for again in ([a], [Step("b"), a], [(Step("b"), a)]):
        for kind in (TaskGroup, lambda steps: chain(*steps)):
            with pytest.raises(ValueError, match="linked already"):
                kind(again)
    with pytest.raises(ValueError, match="given twice"):
        chain(b := Step("b"), b)
    flow = chain(Step("c"))
    client.enqueue(flow)
    with pytest.raises(ValueError, match="linked already"):
        chain(flow)


def test_a_step_is_not_enqueued_before_it_has_its_turn(client, ran):
    a, b = steps("a b")
    flow = chain(a, b)
    with pytest.raises(ValueError, match="enqueue that"):
        client.enqueue(a)
    client.enqueue(flow)
    with pytest.raises(ValueError, match="is a step of"):
        client.enqueue(b)
    assert ran() == ["a", "b"]
