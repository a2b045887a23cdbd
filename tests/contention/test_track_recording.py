"""Many processes record through one manager while an agent follows: no conflict, no loss."""

from __future__ import annotations

import multiprocessing
import threading
import time

import pytest
import transaction
from hypothesis import given, settings
from hypothesis import strategies as st
from ZODB import DB
from ZODB.DemoStorage import DemoStorage
from ZODB.POSException import ConflictError

from livesync import SyncManager
from livesync.tasks import LiveSyncUpdateTask
from scheduler.store import open_database, transact, using
from tests.livesync.agents_for_tests import ListAgent, received

WRITERS = 8
RECORDS = 40
SPAWN = multiprocessing.get_context("spawn")


def record(uri: str, writer: int, results) -> None:
    """Record changes one transaction each, slowly every now and then; report the conflicts."""
    conflicts = 0
    database = open_database(uri)
    try:
        manager = transaction.TransactionManager()
        connection = database.open(transaction_manager=manager)
        with using(connection):
            for number in range(RECORDS):
                while True:
                    timestamp = int(time.time())
                    SyncManager.getDBInstance().add(timestamp, f"{writer}-{number}")
                    if number % 10 == writer:
                        time.sleep(0.02)
                    try:
                        manager.commit()
                        break
                    except ConflictError:
                        manager.abort()
                        conflicts += 1
        connection.close()
    finally:
        database.close()
    results.put(conflicts)


@pytest.fixture
def served(tmp_path):
    """An open database that other processes join, with a manager of one-second bins."""
    uri = f"file://{tmp_path}/data.fs"
    database = open_database(uri)

    def plant(connection):
        manager = SyncManager.getDBInstance(connection)
        manager._granularity = 1
        agent = ListAgent("list", "List", "", 60)
        agent.setActive(True)
        manager.registerNewAgent(agent)

    transact(database, plant)
    received.clear()
    yield uri, database
    database.close()


def update(database):
    with using(database.open(transaction_manager=transaction.TransactionManager())) as connection:
        LiveSyncUpdateTask(5).run()
        connection.close()


def follow(uri: str, stop, deliveries) -> None:
    """Run the agent again and again until told to stop; hand over what it delivered."""
    database = open_database(uri)
    try:
        while not stop.wait(0.05):
            update(database)
    finally:
        database.close()
    deliveries.put([action for batch in received.get("list", []) for action in batch])


def test_8_processes_record_without_conflict_and_nothing_is_lost(served):
    uri, database = served
    results, deliveries, stop = SPAWN.Queue(), SPAWN.Queue(), SPAWN.Event()
    follower = SPAWN.Process(target=follow, args=(uri, stop, deliveries))
    writers = [SPAWN.Process(target=record, args=(uri, n, results)) for n in range(WRITERS)]
    for process in (follower, *writers):
        process.start()
    conflicts = [results.get(timeout=200) for _ in writers]
    stop.set()
    delivered = deliveries.get(timeout=200)
    for process in (follower, *writers):
        process.join()
    deliver_the_rest(database)

    delivered += [action for batch in received["list"] for action in batch]
    assert sum(conflicts) == 0
    assert sorted(delivered) == sorted(f"{w}-{n}" for w in range(WRITERS) for n in range(RECORDS))


def test_processes_record_without_conflict_while_the_owner_of_the_database_follows_directly(served):
    uri, database = served
    results = SPAWN.Queue()
    writers = [SPAWN.Process(target=record, args=(uri, n, results)) for n in range(WRITERS)]
    for process in writers:
        process.start()
    while any(process.is_alive() for process in writers):
        update(database)
    conflicts = [results.get(timeout=200) for _ in writers]
    for process in writers:
        process.join()
    deliver_the_rest(database)

    delivered = [action for batch in received["list"] for action in batch]
    assert sum(conflicts) == 0
    assert sorted(delivered) == sorted(f"{w}-{n}" for w in range(WRITERS) for n in range(RECORDS))


def deliver_the_rest(database):
    def run(connection):
        agent = SyncManager.getDBInstance(connection).getAgent("list")
        assert agent.run(None)
        agent.acknowledge()

    transact(database, run)


def test_two_agents_and_a_reader_at_once_get_everything_once(served):
    _, database = served
    transact(database, lambda c: _register_second(c))
    stop = threading.Event()
    failures = []

    def repeat(work):
        while not stop.is_set():
            try:
                work()
            except Exception as error:  # noqa: BLE001 (reported below)
                failures.append(error)

    def read():
        transact(database, lambda c: SyncManager.getDBInstance(c).sequence())

    followers = [
        threading.Thread(target=repeat, args=(work,))
        for work in (lambda: update(database), read, read)
    ]
    for follower in followers:
        follower.start()
    for number in range(200):
        transact(
            database,
            lambda c, number=number: SyncManager.getDBInstance(c).add(time.time() - 3, number),
        )
    stop.set()
    for follower in followers:
        follower.join()
    deliver_the_rest(database)

    assert failures == []
    assert sorted(n for batch in received["list"] for n in batch) == list(range(200))


def _register_second(connection):
    agent = ListAgent("second", "Second", "", 60)
    agent.setActive(True)
    SyncManager.getDBInstance(connection).registerNewAgent(agent)


@pytest.fixture
def open_view(served):
    """Open connections, each with its transaction manager; return their managers of changes."""
    _, database = served
    connections = []

    def open_view():
        connection = database.open(transaction_manager=transaction.TransactionManager())
        connections.append(connection)
        return SyncManager.getDBInstance(connection)

    yield open_view
    for connection in connections:
        connection.transaction_manager.abort()
        connection.close()


def commit(view):
    view._p_jar.transaction_manager.commit()


def test_a_run_inside_a_transaction_conflicts_with_what_was_sequenced_meanwhile(open_view):
    caller, recorder = open_view(), open_view()
    recorder.add(10, "first")
    commit(recorder)
    commit(caller)
    caller._p_jar.root()["something"] = "else"
    agent = caller.getAgent("list")
    agent.run(30)
    agent.acknowledge()
    recorder.add(20, "second")
    commit(recorder)
    recorder.getTrack()

    with pytest.raises(ConflictError):
        commit(caller)
    caller._p_jar.transaction_manager.abort()
    assert [action for _, action in caller.query("list")] == ["second", "first"]


def test_a_sequencer_conflicts_with_a_pointer_that_moves_meanwhile(open_view):
    mover, sequencer = open_view(), open_view()
    mover.add(10, "first")
    commit(mover)
    mover.getTrack()
    sequencer._p_jar.transaction_manager.begin()
    sequencer.add(20, "second")
    sequencer.getTrack()
    mover.advance("list", 20)
    commit(mover)

    with pytest.raises(ConflictError):
        commit(sequencer)


@settings(deadline=None, max_examples=60)
@given(
    st.lists(
        st.sampled_from(["record 0", "record 1", "record 2", "commit", "abort", "run"]),
        max_size=40,
    ),
    st.randoms(use_true_random=False),
)
def test_every_committed_change_is_delivered_once_whatever_comes_between(steps, random):
    storage = DB(DemoStorage())
    views = []
    for _ in range(4):
        manager = transaction.TransactionManager()
        views.append(SyncManager.getDBInstance(storage.open(transaction_manager=manager)))
    reader = views.pop()
    reader.registerNewAgent(ListAgent("list", "List", "", 60))
    commit(reader)
    received.clear()
    open_changes, committed, now = {}, [], 1000
    for number, step in enumerate(steps):
        now += 40
        verb, _, who = step.partition(" ")
        if verb == "record":
            view = views[int(who)]
            view.add(now, number)
            open_changes.setdefault(int(who), []).append(number)
        elif verb in {"commit", "abort"} and open_changes:
            who = random.choice(sorted(open_changes))
            getattr(views[who]._p_jar.transaction_manager, verb)()
            changes = open_changes.pop(who)
            committed += changes if verb == "commit" else []
        elif verb == "run":
            run_once(reader, now)
    run_once(reader, None)

    for view in (*views, reader):
        view._p_jar.transaction_manager.abort()
        view._p_jar.close()
    storage.close()
    delivered = [number for batch in received.get("list", []) for number in batch]
    assert sorted(delivered) == sorted(committed)


def run_once(view, now):
    view._p_jar.transaction_manager.begin()
    agent = view.getAgent("list")
    assert agent.run(now)
    agent.acknowledge()
    commit(view)
