"""Dependable delivery: nothing is lost, nothing blocks the rest, little is sent twice.

Covers `livesync.delivery.batch`, `livesync.delivery.faults`, `livesync.delivery.results`,
`livesync.delivery.settings`, `livesync.delivery.state`,
`livesync.delivery.window_sender`.
"""

from __future__ import annotations

import json
import os
import threading
from dataclasses import replace
from stat import S_IMODE

import pytest
from persistent import Persistent

from livesync import ActionWrapper, PushSyncAgent, SyncManager
from livesync.agents.folder import FolderAgent
from livesync.delivery.deliverer import Deliverer
from livesync.errors import AgentBusyException, Overloaded
from scheduler.store import transact
from tests.livesync.agents_for_tests import Target, ToTarget, targets
from tests.livesync.delivery.conftest import NOW, add_agent, agent_of, position, set_terms
from tests.waiting import DEADLINE


def test_after_a_failure_the_agent_waits_longer_and_longer(target, change, update, look, clock):
    target.troubles["a"] = ConnectionError("down")
    change("a")
    waits = []
    for _ in range(5):
        update()
        waits.append(look(lambda agent: agent.delivery_state.not_before) - clock.now.timestamp())
        clock.advance(waits[-1] + 0.001)

    assert waits[0] == 0
    assert all(2 ** (n - 1) <= wait <= 2**n for n, wait in enumerate(waits[1:], 1))


def test_a_target_says_itself_when_it_wants_to_be_asked_again(target, change, update, clock):
    target.troubles["a"] = Overloaded("too much", retry_after=120)
    change("a")
    update()
    target.troubles.clear()
    clock.advance(119)
    assert update() == {}
    clock.advance(2)

    assert update() == {"a": "up to date: 1 records"}


@pytest.mark.parametrize("seconds", [2e9, float("inf")])
def test_no_target_sends_an_agent_away_for_years(target, change, update, look, clock, seconds):
    target.troubles["a"] = Overloaded("too much", retry_after=seconds)
    change("a")
    update()

    assert look(lambda agent: agent.delivery_state.not_before) == clock.now.timestamp() + 86_400


def test_batches_that_were_taken_before_a_failure_are_not_sent_again(target, change, update, look):
    change(*"abcdef")
    order = []

    def fail_third(names):
        order.append(names)
        if len(order) == 3:
            raise ConnectionError("down")

    target.before = fail_third
    assert update()["a"].startswith("failed")
    assert look(position) is None
    update()

    assert order[3] == order[2]
    assert sorted(target.taken) == list("abcdef")
    assert len(target.uploads) == 3


def test_a_batch_that_is_sent_again_is_the_same_though_more_has_come(
    target, change, update, look, clock
):
    change("a", "b")
    seen = []

    def fail_first(names):
        seen.append((names, look(position)))
        if len(seen) == 1:
            raise ConnectionError("it may have been taken")

    target.before = fail_first
    update()
    change("c")
    clock.advance(200)
    update()

    assert seen == [(["a", "b"], None), (["a", "b"], None), (["c"], NOW // 100 - 1)]


def test_an_agent_that_fails_or_hangs_stops_no_other(database, target, change, update):
    targets["hanging"], targets["working"] = Target(), Target()
    transact(database, lambda own: add_agent(own, "hanging", limit=1))
    transact(database, lambda own: add_agent(own, "working"))
    release = threading.Event()
    targets["hanging"].before = lambda names: release.wait(60)
    target.troubles["a"] = RuntimeError("failing")
    change("a")
    outcomes = update()
    release.set()
    for thread in threading.enumerate():
        if thread.name == "to hanging":
            thread.join(DEADLINE)

    assert outcomes["a"] == "failed: RuntimeError: failing"
    assert outcomes["hanging"] == "failed: it gave no sign of life for 1 s"
    assert outcomes["working"] == "up to date: 1 records"


def test_an_agent_is_delivered_to_by_one_at_a_time(database, target, change):
    change("a")
    meanwhile = []

    def deliver_too(names):
        with pytest.raises(AgentBusyException, match="is delivering") as busy:
            Deliverer(database, "a").deliver(NOW)
        meanwhile.append(busy)

    target.before = deliver_too
    Deliverer(database, "a").deliver(NOW)

    assert len(meanwhile) == 1
    assert target.taken == ["a"]


def test_a_paused_agent_ends_after_its_batch_and_goes_on_where_it_was(
    database, target, change, update
):
    change(*"abcdef")

    def pause(names):
        transact(database, lambda own: setattr(agent_of(own).delivery_state, "paused", True))

    target.before = pause
    assert update() == {"a": "paused: 2 records"}
    assert update() == {}
    target.before = lambda names: None
    transact(database, lambda own: setattr(agent_of(own).delivery_state, "paused", False))
    update()

    assert sorted(target.taken) == list("abcdef")
    assert len(target.uploads) == 3


def test_long_stretches_are_delivered_window_by_window(target, change, update, look):
    look(set_terms(window=2))
    positions = []
    target.before = lambda names: positions.append(look(position))
    for number in range(1, 7):
        change(number, position=number)
    update()

    assert target.uploads == [["1", "2"], ["3", "4"], ["5", "6"]]
    assert positions == [None, 2, 4]


def test_changes_linger_for_others_but_not_too_long(target, change, update, look, clock):
    look(set_terms(linger=600, enough=3))
    change("a", position=NOW // 100 - 3)
    change("b", position=NOW // 100 - 3)
    assert update() == {}
    change("c", position=NOW // 100 - 3)
    update()
    assert sorted(target.taken) == list("abc")
    change("d", position=NOW // 100 - 1)
    assert update() == {}
    clock.advance(700)
    update()

    assert target.taken[-1] == "d"


def test_parallel_ways_deliver_everything_once(target, change, update, look):
    look(set_terms(parallel=3))
    change(*range(40))
    threads = set()
    target.before = lambda names: threads.add(threading.get_ident())

    assert update() == {"a": "up to date: 40 records"}
    assert sorted(target.taken, key=int) == [str(n) for n in range(40)]
    assert len(threads) == 3


def test_records_that_one_way_has_delivered_stay_so_when_another_fails(
    target, change, update, look
):
    look(set_terms(parallel=3))
    change(*range(40))
    target.troubles["7"] = ConnectionError("down")
    assert update()["a"].startswith("failed")
    target.troubles.clear()
    update()

    assert sorted(set(target.taken), key=int) == [str(n) for n in range(40)]
    assert len(target.taken) == 40


class Starter(PushSyncAgent):
    """Runs another agent before itself."""

    def _run(self, data, logger=None, monitor=None, dbi=None, task=None):
        assert agent_of(dbi, "a").run(None, dbi=dbi)
        return ToTarget(logger, self, 10).iterateOver(data, dbi)


def test_an_agent_that_runs_another_one_delivers_its_own(database, target, change, look):
    targets["starter"] = Target()
    transact(database, lambda own: add_agent(own, "starter", Starter))
    change("a", "b")

    assert str(Deliverer(database, "starter").deliver(NOW)) == "up to date: 2 records"
    assert sorted(targets["starter"].taken) == sorted(target.taken) == ["a", "b"]


class Thing(Persistent):
    pass


@pytest.fixture
def open_umask():
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.parametrize(("mode", "file_mode"), [(None, 0o600), (0o755, 0o600), (0o2750, 0o640)])
def test_files_of_a_folder_agent_are_closed_to_others_whatever_the_umask(
    database, clock, tmp_path, open_umask, mode, file_mode
):
    folder = tmp_path / "above" / "out"
    if mode is not None:
        folder.mkdir(parents=True)
        folder.chmod(mode)
    agent = FolderAgent("f", "Files", "", 60, folder=folder)

    def work(connection):
        manager = SyncManager.getDBInstance(connection)
        manager.registerNewAgent(agent)
        thing = connection.root()["thing"] = Thing()
        manager.add(100, ActionWrapper(100, thing, ["created"], "1"))

    transact(database, work)
    assert Deliverer(database, "f").deliver(NOW).records == 1

    written = [*folder.iterdir(), folder.with_name(".out.f.position")]
    assert [S_IMODE(file.stat().st_mode) for file in written] == [file_mode, 0o600]
    expected = [0o700, 0o700] if mode is None else [mode, 0o777]
    assert [S_IMODE(one.stat().st_mode) for one in (folder, folder.parent)] == expected


def test_parallel_ways_write_files_into_one_folder(database, clock, tmp_path):
    agent = FolderAgent("f", "Files", "", 60, folder=tmp_path / "out", batch_size=2)
    agent.delivery_state.settings = replace(agent.delivery_state.settings, parallel=4)

    def work(connection):
        manager = SyncManager.getDBInstance(connection)
        manager.registerNewAgent(agent)
        for number in range(50):
            thing = connection.root()[f"thing-{number}"] = Thing()
            manager.add(100, ActionWrapper(100, thing, ["created"], str(number)))

    transact(database, work)
    assert Deliverer(database, "f").deliver(NOW).records == 50

    files = sorted((tmp_path / "out").iterdir())
    assert [file.name for file in files] == [f"{n:06}.json" for n in range(len(files))]
    records = [record for file in files for record in json.loads(file.read_text())["records"]]
    assert sorted(int(record["id"]) for record in records) == list(range(50))
