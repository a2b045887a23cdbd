"""Flows against a plain model: random graphs of tasks, some of which fail and are restarted."""

from __future__ import annotations

import logging

import pytest
import transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler import nowutc
from scheduler.clock import timed_by
from scheduler.states import WORDS
from scheduler.store import current, open_database, using
from scheduler.tasks import OneShotTask
from scheduler.testing import Relay, StandingClock

WHEN = st.sampled_from(("finished", "finished", "finished", "ended", "failed"))
NODE = st.tuples(st.sampled_from((0, 0, 0, 1)), st.sets(st.integers(0, 11), max_size=4), WHEN)


class Node(OneShotTask):
    """Fails so often; notes that it has finished."""

    maxTries = 1

    def __init__(self, number, failures):
        super().__init__(nowutc())
        self.number, self.failures = number, failures

    def prepare(self):
        super().prepare()
        self.failures -= 1

    def run(self):
        if self.failures >= 0:
            raise ValueError("not yet")
        root = current().root()
        root["ran"] = (*root["ran"], self.number)


class Model:
    """The rules alone: for each node how it has ended; None for one that is not needed."""

    def __init__(self, nodes):
        self.failures = [failures for failures, _, _ in nodes]
        self.before = [
            sorted(each for each in before if each < at) for at, (_, before, _) in enumerate(nodes)
        ]
        self.when = [when for _, _, when in nodes]
        self.ends = [None] * len(nodes)
        self.ran = []

    def run(self, numbers):
        self.ran = []
        for number in sorted(numbers):
            self.ends[number] = self._end(number)
            if self.ends[number] == "finished":
                self.ran.append(number)

    def _end(self, number):
        before, when = self.before[number], self.when[number]
        has_failed = any(self.ends[each] != "finished" for each in before)
        if before and when == "failed" and not has_failed:
            return None
        if before and when == "finished" and has_failed:
            return "aborted"
        self.failures[number] -= 1
        return "failed" if self.failures[number] >= 0 else "finished"

    def run_anew_with(self, first):
        """Return *first* and the nodes that wait again when it is restarted."""
        anew = {first}
        for number, before in enumerate(self.before):
            rest = [self.ends[each] for each in before if each not in anew]
            is_behind = len(rest) < len(before) and self.ends[number] is not None
            if is_behind and (self.when[number] == "ended" or set(rest) <= {"finished"}):
                anew.add(number)
        return anew


@pytest.fixture(scope="module")
def relay():
    database = open_database("memory://")
    connection = database.open()
    logging.disable(logging.ERROR)
    with timed_by(StandingClock()) as clock, using(connection):
        yield Relay(database, connection, clock)
    logging.disable(logging.NOTSET)
    transaction.abort()
    connection.close()
    database.close()


def ran_by(relay):
    root = relay.connection.root()
    root["ran"] = ()
    relay.run_due()
    return root["ran"]


@settings(max_examples=60, deadline=None)
@given(nodes=st.lists(NODE, min_size=1, max_size=12), data=st.data())
def test_each_node_of_any_graph_ends_as_the_model_says_and_runs_once(relay, nodes, data):
    model = Model(nodes)
    tasks = [Node(number, failures) for number, failures in enumerate(model.failures)]
    for number, task in enumerate(tasks):
        after = [tasks[each] for each in model.before[number]]
        relay.client.enqueue(task, after=after, when=model.when[number])
    model.run(range(len(nodes)))
    check(relay, tasks, model)
    ended = [at for at, end in enumerate(model.ends) if end is not None]
    first = data.draw(st.sampled_from(ended))
    if model.ends[first] == "aborted":
        return
    anew = model.run_anew_with(first)
    relay.client.restart(tasks[first])
    model.run(anew)
    check(relay, tasks, model)


def check(relay, tasks, model):
    ran = ran_by(relay)
    assert [WORDS.get(task.getStatus()) for task in tasks] == model.ends
    assert sorted(ran) == model.ran
    for number in ran:
        for each in model.before[number]:
            is_before = each not in ran or ran.index(each) < ran.index(number)
            assert is_before or model.when[number] == "failed"
