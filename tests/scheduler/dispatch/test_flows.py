"""Flows are restarted from a step, cancelled as a whole, and drawn as a graph.

Covers `scheduler.flow_client`, `scheduler.shelves.flow_graph`.
"""

from __future__ import annotations

from datetime import timedelta

import pytest

from scheduler import (
    TASK_STATUS_ABORTED,
    nowutc,
)
from scheduler.errors import TaskInconsistentStatusException
from scheduler.tasks import TaskGroup
from scheduler.tasks.chain import chain
from tests.scheduler.sample_flows import Step, breaking, states, steps


@pytest.fixture
def client(relay):
    return relay.client


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
