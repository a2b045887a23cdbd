"""The delivery session: how often it commits, and what a run leaves behind at each point.

Covers `livesync.delivery.session`, `livesync.delivery.record_keys`, `livesync.delivery.underway`,
`livesync.delivery.senders`.
"""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from itertools import count

import pytest

from livesync import ActionWrapper, SyncManager
from livesync.agents.folder import FolderAgent
from livesync.delivery.deliverer import PAUSED, Deliverer
from livesync.delivery.dispatcher import DeliveryDispatcher
from livesync.delivery.record_keys import falls_to
from livesync.delivery.session import DeliverySession
from livesync.errors import AgentBusyException
from livesync.objects.object_model import kind_of
from scheduler.store import transact
from tests.livesync.agents_for_tests import Target, TargetAgent, targets
from tests.livesync.stand_ins import Note
from tests.waiting import DEADLINE, wait_for

MOST_COMMITS = 4


@pytest.fixture
def target():
    """The target of an agent that each test registers as it wants it."""
    target = targets["a"] = Target()
    yield target
    targets.clear()


@pytest.fixture
def register(database):
    def register(agent_class=TargetAgent, **settings):
        def work(connection):
            SyncManager.getDBInstance(connection).setGranularity(0.001)
            agent = agent_class("a", "", "", 60)
            agent.delivery_state.settings = replace(agent.delivery_state.settings, **settings)
            SyncManager.getDBInstance(connection).registerNewAgent(agent)
            agent.setActive(True)

        transact(database, SyncManager.getDBInstance)  # made in commits of its own
        transact(database, work)

    return register


@pytest.fixture
def change(database):
    def change(*names):
        def work(connection):
            now = time.time()
            for name in names:
                note = connection.root()[f"note-{name}"] = Note(name)
                action = ActionWrapper(int(now), note, ["data_changed"], name)
                SyncManager.getDBInstance(connection).add(now, action)

        transact(database, work)

    return change


@pytest.fixture
def look(database):
    def look(question):
        def work(connection):
            return question(SyncManager.getDBInstance(connection).getAgent("a"))

        return transact(database, work)

    return look


@pytest.fixture
def commits(database):
    """Count the commits since the last call."""
    known = [0]

    def commits():
        before, known[0] = known[0], sum(1 for _ in database.storage.iterator())
        return known[0] - before

    return commits


class Counting(TargetAgent):
    """Changes itself in each run."""

    runs = 0

    def _run(self, data, logger=None, monitor=None, dbi=None, task=None):
        self.runs += 1
        return super()._run(data, logger, monitor, dbi, task)


class Confirming(TargetAgent):
    """Confirms each run to its target, by a number that it keeps with the run only."""

    _v_number = None

    def _run(self, data, logger=None, monitor=None, dbi=None, task=None):
        self._v_number = 7
        return super()._run(data, logger, monitor, dbi, task)

    def acknowledge(self):
        super().acknowledge()
        confirmed.append(self._v_number)


confirmed = []


@pytest.mark.parametrize(
    ("agent_class", "settings"),
    [(TargetAgent, {}), (TargetAgent, {"parallel": 2}), (Counting, {}), (Confirming, {})],
)
def test_one_record_delivered_costs_at_most_four_commits(
    database, target, register, change, commits, agent_class, settings
):
    register(agent_class, **settings)
    change("1")
    commits()
    assert Deliverer(database, "a").deliver(None).records == 1
    assert commits() <= MOST_COMMITS


def test_one_record_delivered_by_the_dispatcher_costs_at_most_four_commits(
    database, target, register, change, commits
):
    register()
    with dispatching(database):
        change("1")
        wait_for(lambda: target.taken == ["1"], DEADLINE)
    commits()
    with dispatching(database):
        change("2")
        wait_for(lambda: target.taken == ["1", "2"], DEADLINE)
    assert commits() <= 1 + MOST_COMMITS  # the change is one itself


@contextmanager
def dispatching(database):
    dispatcher = DeliveryDispatcher(database)
    thread = threading.Thread(target=dispatcher.run)
    thread.start()
    yield
    dispatcher.stop()
    thread.join(DEADLINE)


def test_a_record_more_costs_no_commit_more_and_a_batch_more_costs_one(
    database, target, register, change, commits
):
    register()
    counts = []
    for number in (1, 2, 4):
        change(*(f"{number}.{each}" for each in range(number)))
        commits()
        Deliverer(database, "a").deliver(None)
        counts.append(commits())
    assert counts[1] == counts[0]
    assert counts[2] == counts[0] + 1


def test_a_delivery_of_nothing_leaves_no_lease_and_one_commit(
    database, target, register, commits, look
):
    register()
    commits()
    assert Deliverer(database, "a").deliver(None).records == 0
    assert commits() == 1  # when it was run
    assert look(lambda agent: agent.delivery_state.lease) is None


def test_a_failure_is_written_down_together_with_the_end_of_the_lease(
    database, target, register, change, commits, look
):
    register()
    target.troubles["1"] = ConnectionError("down")
    change("1")
    commits()
    assert Deliverer(database, "a").deliver(None).reason == "ConnectionError: down"
    assert commits() <= MOST_COMMITS - 1
    assert look(lambda agent: agent.delivery_state.lease) is None
    assert look(lambda agent: agent.delivery_state.failures) == 1


def test_an_agent_acknowledges_once_on_the_object_that_ran(database, target, register, change):
    confirmed.clear()
    register(Confirming)
    change(*"12345")
    Deliverer(database, "a").deliver(None)
    assert confirmed == [7]


def test_changes_of_the_agent_itself_are_kept(database, target, register, change, look):
    register(Counting)
    change(*"12345")
    Deliverer(database, "a").deliver(None)
    assert look(lambda agent: agent.runs) == 1
    assert look(lambda agent: agent.delivery_state.window) is None


def test_each_of_several_ways_writes_down_its_end_at_once(database, target, register, change, look):
    register(parallel=2)
    names = [name_in_share(0), name_in_share(1)]
    change(*names)
    calls = []

    def wait_for_the_first(batch):
        calls.append(batch)
        if len(calls) == 2:
            wait_for(lambda: look(number_accepted) == 1, DEADLINE)

    target.before = wait_for_the_first
    assert Deliverer(database, "a").deliver(None).records == 2
    assert sorted(target.taken) == sorted(names)
    assert look(number_accepted) == 0  # the window is closed


def name_in_share(share):
    kind = kind_of(Note(""))
    return next(name for name in map(str, count()) if falls_to(f"{kind}:{name}", (share, 2)))


def number_accepted(agent):
    return len(agent.delivery_state.accepted)


class InThreads(TargetAgent):
    """Uploads from a thread of its own."""

    def _run(self, data, logger=None, monitor=None, dbi=None, task=None):
        records = list(data)
        run = super()._run
        thread = threading.Thread(target=run, args=(records, logger, monitor, None, task))
        thread.start()
        thread.join()
        return True


def test_a_record_is_refused_alone_in_whatever_thread_it_is_uploaded(
    database, target, register, change, look
):
    register(InThreads)
    target.troubles["2"] = ValueError("no")
    change(*"123")
    assert Deliverer(database, "a").deliver(None).records == 2
    assert look(lambda agent: [letter.reason for letter in agent.delivery_state.dead_letters]) == [
        "ValueError: no"
    ]


def test_an_agent_that_is_rewound_meanwhile_keeps_its_new_position(
    database, target, register, change, look
):
    register()
    change("1")
    Deliverer(database, "a").deliver(None)
    change("2")
    target.before = lambda names: look(lambda agent: agent.rewind(None))
    with pytest.raises(AgentBusyException, match="was rewound"):
        Deliverer(database, "a").deliver(None)
    assert look(lambda agent: agent.getLastTS()) is None
    assert look(lambda agent: agent.delivery_state.lease) is None


def test_an_agent_that_is_paused_before_its_last_batch_is_paused(
    database, target, register, change, look
):
    register()
    change(*"123")
    target.before = lambda names: look(lambda agent: setattr(agent.delivery_state, "paused", True))
    assert Deliverer(database, "a").deliver(None).outcome == PAUSED
    assert look(lambda agent: agent.delivery_state.lease) is None


def test_two_sessions_of_an_agent_exclude_each_other(database, target, register):
    register()
    with DeliverySession(database, "a") as first, DeliverySession(database, "a") as second:
        first.open(lambda agent: None)
        with pytest.raises(AgentBusyException, match="is delivering"):
            second.open(lambda agent: None)
        with pytest.raises(AgentBusyException):
            second.write(lambda agent: None)
        first.write(lambda agent: None)


def test_a_folder_is_delivered_to_with_as_few_commits(database, change, commits, tmp_path):
    transact(database, SyncManager.getDBInstance)
    agent = FolderAgent("a", "", "", 1, folder=tmp_path / "out")
    transact(database, lambda own: SyncManager.getDBInstance(own).registerNewAgent(agent))
    change("1")
    commits()
    assert Deliverer(database, "a").deliver(None).records == 1
    assert commits() <= MOST_COMMITS - 1
