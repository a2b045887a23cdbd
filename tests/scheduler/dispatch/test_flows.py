"""Flows: chains and groups in each other, tasks that wait for several, restarting and cancelling.

Covers `scheduler.dispatch.flows`, `scheduler.flow_client`, `scheduler.shelves.flow_graph`,
`scheduler.shelves.followers`, `scheduler.tasks.composite`, `scheduler.tasks.entering`,
`scheduler.tasks.flow_step`, `scheduler.tasks.prerequisites`.
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
    task,
)
from scheduler.errors import TaskInconsistentStatusException
from scheduler.shelves.followers import followers_of
from scheduler.store import current
from scheduler.tasks import IntervalTask, OneShotTask, TaskGroup
from scheduler.tasks.chain import chain
from tests.scheduler.odd_tasks import PASSING, passing_values
from tests.scheduler.sample_unique import Debounced

DEEP = 40
"""How deep the deepest flow of these tests is."""


class Step(OneShotTask):
    """Notes its name; returns it with the names that its inputs have."""

    maxTries = 1

    def __init__(self, name, start=None):
        super().__init__(start or nowutc())
        self.name = name

    def run(self):
        root = current().root()
        if self.name in root.get("broken", ()):
            raise ValueError(f"{self.name} is broken")
        root["ran"] = (*root.get("ran", ()), self.name)
        return f"{self.name}({','.join(map(str, _flat(self.getInputs())))})"


def _flat(inputs):
    for each in inputs:
        if isinstance(each, list):
            yield from _flat(each)
        else:
            yield each


@task
def total(*numbers):
    from scheduler import attempt

    return sum((*numbers, *attempt.inputs))


@pytest.fixture
def ran(relay):
    """Run all that is due; return the names of the steps that were run, in this order."""

    def run():
        relay.run_due()
        names = relay.connection.root().get("ran", ())
        relay.connection.root()["ran"] = ()
        transaction.commit()
        return list(names)

    return run


@pytest.fixture
def client(relay):
    return relay.client


def breaking(*names):
    current().root()["broken"] = names
    transaction.commit()


def states(*steps):
    return [step.getStatus() for step in steps]


def steps(names):
    return [Step(name) for name in names.split()]


@pytest.fixture
def passing():
    yield passing_values
    sys.modules.pop(PASSING, None)


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


# Chains and groups in each other


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


def test_a_step_of_a_flow_cannot_be_enqueued_after_others(client):
    a, b = steps("a b")
    client.enqueue(a)
    chain(b)
    with pytest.raises(ValueError, match="is a step of"):
        client.enqueue(b, after=a)


def test_a_step_is_not_enqueued_before_it_has_its_turn(client, ran):
    a, b = steps("a b")
    flow = chain(a, b)
    with pytest.raises(ValueError, match="enqueue that"):
        client.enqueue(a)
    client.enqueue(flow)
    with pytest.raises(ValueError, match="is a step of"):
        client.enqueue(b)
    assert ran() == ["a", "b"]


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


# Steps that wait for several others


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


# Restarting


def test_a_diamond_is_run_again_from_a_step_each_of_those_behind_it_once(client, ran):
    a, b, c, d, e = steps("a b c d e")
    client.enqueue(a)
    client.enqueue(b, after=[a])
    client.enqueue(c, after=[b])
    client.enqueue(d, after=[a])
    client.enqueue(e, after=[c, d])
    assert len(ran()) == 5
    client.restart(a)
    again = ran()
    assert sorted(again) == list("abcde")
    assert again[-1] == "e"
    client.restart(c)
    assert ran() == ["c", "e"]


def test_a_step_behind_that_waits_for_its_date_waits_again_for_the_step(client, relay, ran):
    a, b = Step("a"), Step("b", nowutc() + timedelta(hours=1))
    client.enqueue(a)
    client.enqueue(b, after=[a])
    ran()
    a.setStartOn(nowutc() + timedelta(hours=2))
    client.restart(a)
    ran()
    relay.clock.advance(3600)
    assert ran() == []
    relay.clock.advance(3600)
    assert ran() == ["a", "b"]


def test_a_chain_is_run_again_from_a_step_and_a_group_from_a_member(client, ran):
    a, b, c, d = steps("a b c d")
    last = Step("last")
    flow = chain(a, TaskGroup([b, chain(c, Step("x"))]), d)
    client.enqueue(flow)
    client.enqueue(last, after=[flow])
    assert len(ran()) == 6
    client.restart(c)
    assert ran() == ["c", "x", "d", "last"]
    client.restart(flow)
    assert sorted(ran()) == ["a", "b", "c", "d", "last", "x"]


def test_a_step_that_has_not_ended_is_not_restarted(client):
    a = Step("a")
    client.enqueue(a)
    for step in (a, chain(Step("b"))):
        with pytest.raises(TaskInconsistentStatusException, match="has not ended"):
            client.restart(step)


def test_a_step_that_is_run_again_may_be_undone_again(client, ran):
    a, b = steps("a b")
    client.enqueueChain((a, Step("-a")), b)
    assert ran() == ["a", "b"]
    breaking("b")
    client.restart(a)
    assert ran() == ["a", "-a"]


# Cancelling


def test_a_whole_flow_is_cancelled_and_undone(client, ran):
    later = nowutc() + timedelta(hours=1)
    waiting, other, behind, cleanup = Step("w", later), Step("o", later), Step("behind"), Step("c")
    flow = chain((Step("a"), Step("-a")), TaskGroup([waiting, other], "continue"), Step("never"))
    client.enqueue(flow)
    client.enqueue(behind, after=[flow])
    client.enqueue(cleanup, after=[flow], when="ended")
    assert ran() == ["a"]
    client.cancelFlow(behind)
    assert ran() == ["-a", "c"]
    assert states(waiting, other, behind) == [TASK_STATUS_ABORTED] * 3
    assert flow.hasFinished() is False


def test_a_cancelled_flow_goes_on_from_a_step_that_is_restarted(client, relay, ran):
    a, b = Step("a", nowutc() + timedelta(hours=1)), Step("b")
    client.enqueueChain(a, b)
    ran()
    client.cancelFlow(b)
    ran()
    assert states(a) == [TASK_STATUS_ABORTED]
    client.restart(a)
    relay.clock.advance(3600)
    assert ran() == ["a", "b"]


# The graph


def test_the_graph_of_a_flow_has_its_tasks_and_groups_and_how_they_follow(client, ran):
    breaking("bad")
    a, undo, b, c, bad, last, sorry = steps("a undo b c bad last sorry")
    group = TaskGroup([chain(b, c), bad])
    flow = chain((a, undo), group, last)
    client.enqueue(flow)
    client.enqueue(sorry, after=[flow], when="failed")
    ids = {step.getId(): name for name, step in locals().items() if hasattr(step, "getId")}
    ran()
    graph = client.getFlow(b)
    edges = {(ids[edge.before], ids[edge.after], edge.when) for edge in graph.edges}
    assert edges == {
        ("a", "undo", "undoes"),
        ("a", "b", "finished"),
        ("b", "c", "finished"),
        ("a", "bad", "finished"),
        ("c", "group", "finished"),
        ("bad", "group", "finished"),
        ("group", "last", "finished"),
        ("last", "sorry", "failed"),
    }
    assert {ids[node.id]: node.state for node in graph.nodes} == {
        **{"a": "finished", "b": "finished", "c": "finished", "bad": "failed"},
        **{"group": "failed", "undo": "finished", "last": "pending", "sorry": "finished"},
    }
    assert {node.name.rpartition(".")[2] for node in graph.nodes} == {"Step", "group"}


def test_the_graph_of_a_task_alone_is_that_task(client):
    a = Step("a")
    client.enqueue(a)
    graph = client.getFlow(a)
    assert [node.id for node in graph.nodes] == [a.getId()]
    assert graph.edges == []
