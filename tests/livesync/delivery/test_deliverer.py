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
from datetime import UTC, datetime
from stat import S_IMODE

import pytest
import transaction
from dateutil.rrule import MINUTELY
from persistent import Persistent

from livesync import ActionWrapper, PushSyncAgent, SyncManager
from livesync.agents.folder import FolderAgent
from livesync.delivery import push_agent, window_sender
from livesync.delivery.deliverer import Deliverer
from livesync.errors import AgentBusyException, Overloaded, PartialFailure
from livesync.tasks import LiveSyncUpdateTask
from scheduler.store import transact, using
from tests.livesync.agents_for_tests import Target, TargetAgent, ToTarget, targets
from tests.livesync.stand_ins import Note

NOW = 100_000


@pytest.fixture
def clock(relay_clock):
    relay_clock.now = datetime.fromtimestamp(NOW, UTC)
    return relay_clock


@pytest.fixture
def target(database, clock):
    target = targets["a"] = Target()
    transact(database, lambda own: add_agent(own, "a"))
    yield target
    targets.clear()


def add_agent(connection, aid, agent_class=TargetAgent, **terms):
    agent = agent_class(aid, aid, "", 60)
    agent.delivery_state.settings = replace(agent.delivery_state.settings, **terms)
    agent.setActive(True)
    SyncManager.getDBInstance(connection).registerNewAgent(agent)


@pytest.fixture
def change(database):
    """Record changes of objects with these ids, each in the bin that is given with it."""

    def change(*names, position=1):
        def work(connection):
            for name in names:
                note = connection.root().setdefault(f"note-{name}", Note(str(name)))
                action = ActionWrapper(position * 100, note, ["data_changed"], str(name))
                SyncManager.getDBInstance(connection).add(position * 100, action)

        transact(database, work)

    return change


@pytest.fixture
def update(database):
    def update():
        manager = transaction.TransactionManager()
        connection = database.open(transaction_manager=manager)
        try:
            with using(connection):
                return LiveSyncUpdateTask(MINUTELY).run()
        finally:
            manager.abort()
            connection.close()

    return update


@pytest.fixture
def look(database):
    """Return what *question* says of agent a."""

    def look(question):
        return transact(database, lambda own: question(agent_of(own)))

    return look


def agent_of(connection, aid="a"):
    return SyncManager.getDBInstance(connection).getAgent(aid)


def letters(agent):
    return {
        letter.name.rpartition(":")[2]: letter._replace(record=None)
        for letter in agent.delivery_state.dead_letters
    }


def position(agent):
    return agent.getLastTS()


def set_terms(**terms):
    def work(agent):
        agent.delivery_state.settings = replace(agent.delivery_state.settings, **terms)

    return work


def test_a_record_that_cannot_be_sent_keeps_back_nothing_but_itself(target, change, update, look):
    change(*"abcdefg")
    target.troubles["c"] = ValueError("c is no good")

    assert update()["a"] == "up to date: 6 records"
    assert sorted(target.taken) == list("abdefg")
    assert look(letters)["c"].reason == "ValueError: c is no good"
    assert look(position) == NOW // 100 - 1


def test_a_refused_record_is_sent_again_with_growing_waits_and_then_set_aside(
    target, change, update, look, clock
):
    look(set_terms(tries=4))
    change("good", "bad")
    target.troubles["bad"] = ValueError("bad")
    update()
    for expected in (2, 3):
        update()
        assert look(letters)["bad"].tries == expected
        update()
        assert look(letters)["bad"].tries == expected
        clock.advance(3600)
    update()

    assert look(letters)["bad"].due is None
    assert look(lambda agent: len(list(agent.delivery_state.dead_letters.dead()))) == 1
    clock.advance(10**6)
    del target.troubles["bad"]
    update()
    assert target.taken == ["good"]


def test_a_letter_goes_once_its_record_is_taken(target, change, update, look):
    change("good", "bad")
    target.troubles["bad"] = ValueError("bad")
    update()
    del target.troubles["bad"]
    update()

    assert target.taken == ["good", "bad"]
    assert look(letters) == {}


def test_a_later_state_of_the_object_takes_the_place_of_a_letter(
    target, change, update, look, clock
):
    change("good", "bad")
    target.troubles["bad"] = ValueError("bad")
    update()
    update()
    del target.troubles["bad"]
    change("bad")
    clock.advance(200)
    update()

    assert target.taken.count("bad") == 1
    assert look(letters) == {}


def test_many_letters_that_are_refused_again_fail_no_run(target, change, update, look, clock):
    names = [f"bad{number}" for number in range(8)]
    for name in names:
        target.troubles[name] = ValueError("bad")
    for name in names:
        # Each with something good, so that it is known for what it is.
        change(f"good for {name}", name)
        update()
        clock.advance(200)
    clock.advance(4000)
    change("new")
    clock.advance(200)

    assert update()["a"] == "up to date: 1 records"
    assert sorted(look(letters)) == names


@pytest.mark.parametrize("parallel", [1, 3])
def test_any_text_is_an_id(target, change, update, look, parallel):
    look(set_terms(parallel=parallel))
    names = ["7", "7/2", "7\0002", "#1", "record-1", "\ud800", "", " ", "x" * 1000]
    change(*names)

    assert update()["a"] == f"up to date: {len(names)} records"
    assert sorted(target.taken) == sorted(names)


def test_a_record_refused_for_good_is_set_aside_at_once(target, change, update, look):
    def refuse(names):
        if "b" in names:
            raise PartialFailure("not all", {names.index("b"): "b is too big"})

    target.before = refuse
    change(*"abc")

    assert update()["a"] == "up to date: 2 records"
    assert look(letters)["b"].reason == "b is too big"
    assert look(letters)["b"].due is None


def test_a_target_that_is_down_makes_no_dead_letters(target, change, update, look, clock):
    look(set_terms(tries=3))
    for name in "abcdef":
        target.troubles[name] = RuntimeError("down")
    change(*"abcdef")
    for _ in range(8):
        update()
        clock.advance(4000)

    assert look(letters) == {}
    assert look(position) is None
    assert look(lambda agent: agent.last_failure)[1] == "RuntimeError: down"
    target.troubles.clear()
    update()
    assert sorted(target.taken) == list("abcdef")


def test_a_single_record_that_fails_for_ever_is_set_aside_in_the_end(
    target, change, update, look, clock
):
    look(set_terms(tries=3))
    target.troubles["bad"] = ValueError("bad")
    change("bad")
    for _ in range(3):
        update()
        clock.advance(4000)

    assert look(letters)["bad"].due is None
    assert look(position) is not None


def test_a_record_that_fails_alone_does_not_keep_back_what_comes_later(
    target, change, update, look, clock
):
    target.troubles["bad"] = ValueError("bad")
    change("bad")
    assert update()["a"] == "failed: ValueError: bad"
    change("good")
    clock.advance(100)
    update()

    assert target.taken == ["good"]
    assert list(look(letters)) == ["bad"]


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
            thread.join(60)

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


def test_a_change_of_which_no_record_can_be_made_is_set_aside(
    database, target, change, update, look, monkeypatch
):
    reduce = push_agent.reduce

    def fail_over_bad(data, *more):
        data = list(data)
        for _, action in data:
            if action.getObjectId() == "bad":
                raise KeyError("bad cannot be read")
        return reduce(data, *more)

    monkeypatch.setattr(push_agent, "reduce", fail_over_bad)
    change("a", "bad", "c")
    assert update() == {"a": "up to date: 2 records"}
    (letter,) = look(letters).values()
    assert letter.reason == "KeyError: 'bad cannot be read'"
    monkeypatch.setattr(push_agent, "reduce", reduce)
    look(lambda agent: agent.delivery_state.dead_letters.change(letter.name, due=0.0))
    update()

    assert sorted(target.taken) == ["a", "bad", "c"]
    assert look(letters) == {}


class Counting(TargetAgent):
    """Counts its runs, in itself."""

    runs = 0

    def _run(self, data, logger=None, monitor=None, dbi=None, task=None):
        self.runs += 1
        return super()._run(data, logger, monitor, dbi, task)


def test_a_refused_record_is_a_dead_letter_before_the_pointer_moves(
    database, target, change, look, monkeypatch
):
    def commit_and_die(connection, _agent_id):
        connection.transaction_manager.commit()
        raise KeyboardInterrupt

    targets["counting"] = Target()
    transact(database, lambda own: add_agent(own, "counting", Counting))
    monkeypatch.setattr(window_sender, "_committed", commit_and_die)
    change("good", "bad")
    targets["counting"].troubles["bad"] = ValueError("bad")
    with pytest.raises(KeyboardInterrupt):
        Deliverer(database, "counting").deliver(NOW)

    with database.transaction() as connection:
        agent = agent_of(connection, "counting")
        assert agent.runs == 1
        assert position(agent) is not None
        assert list(letters(agent)) == ["bad"]


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
