"""Benchmarks of livesync: recording a change, sequencing, reading the track."""

from __future__ import annotations

import os
import resource
import threading
import time
from typing import ClassVar

from BTrees.LOBTree import LOBTree
from ZODB.POSException import ConflictError

from livesync import ActionWrapper, PushSyncAgent, RecordUploader, SyncManager
from livesync.delivery.deliverer import Deliverer
from livesync.delivery.dispatcher import DeliveryDispatcher
from scheduler.store import transact
from tests.bench.ground import Row, clients_side_by_side, fresh, say, timed

COMMITS = int(os.environ.get("BENCH_COMMITS", "2000"))
CHANGES = int(os.environ.get("BENCH_CHANGES", "50000"))
FOLLOWED = int(os.environ.get("BENCH_FOLLOWED", "300"))
BATCH = 1000


def change(connection, count, is_recorded):
    """Change an object *count* times, each in its own commit; return the number of conflicts."""
    manager = connection.transaction_manager
    row = Row(0)
    connection.add(row)
    manager.commit()
    conflicts = 0
    for number in range(count):
        while True:
            row.number = number
            if is_recorded:
                record(connection, row, number)
            try:
                manager.commit()
                break
            except ConflictError:
                conflicts += 1
                manager.abort()
    return conflicts


def change_only(connection, count):
    """Change an object *count* times."""
    return change(connection, count, is_recorded=False)


def change_two(connection, count):
    """Change two objects *count* times: what there is to store when changes are recorded."""
    manager = connection.transaction_manager
    rows = Row(0), Row(0)
    for row in rows:
        connection.add(row)
    for number in range(count):
        for row in rows:
            row.number = number
        manager.commit()


def change_and_record(connection, count):
    """Change an object *count* times and record each change."""
    return change(connection, count, is_recorded=True)


def record(connection, row, number):
    second = int(time.time())
    action = ActionWrapper(second, row, {"data_changed"}, f"row-{number}")
    SyncManager.getDBInstance(connection).add(second, action)


def bench_record():
    """Change an object with and without recording it, alone and from 8 processes."""
    with fresh() as view:
        SyncManager.getDBInstance(view.connection)
        change(view.connection, 50, is_recorded=True)
        seconds, _ = timed(change, view.connection, COMMITS, False)
        raw = COMMITS / seconds
        seconds, conflicts = timed(change, view.connection, COMMITS, True)
        say("record a change, 1 writer", COMMITS / seconds, "/s", raw)
        say("  conflicts", conflicts, "")
    with fresh() as view:
        SyncManager.getDBInstance(view.connection)
        rates, conflicts = clients_side_by_side(
            view.database.uri, ("change_only", "change_two", "change_and_record"), 8, COMMITS
        )
        raw = rates["change_only"]
        say("change a second object, 8 processes", rates["change_two"], "/s", raw)
        say("record a change, 8 writer processes", rates["change_and_record"], "/s", raw)
        say("  conflicts", conflicts["change_and_record"], "")


def bench_track():
    """Sequence recorded changes into the track, and read them by a pointer in batches."""
    with fresh() as view:
        fill_track(view)
        seconds, _ = timed(sequence, view)
        say("sequence into the track", CHANGES / seconds, "changes/s")
        raw = CHANGES / timed(scan_tree, view)[0]
        say("read the track by a pointer", CHANGES / timed(read_track, view)[0], "changes/s", raw)


def fill_track(view):
    manager = SyncManager.getDBInstance(view.connection)
    tree = view.root["tree"] = LOBTree()
    for number in range(CHANGES):
        action = ActionWrapper(number // 10, None, {"data_changed"}, f"row-{number}")
        manager.add(number // 10, action)
        tree[number] = (number // 10, action)
        if number % BATCH == 0:
            view.commit()
    view.commit()


def sequence(view):
    while transact(view.database, lambda own: SyncManager.getDBInstance(own).sequence()):
        pass


def scan_tree(view):
    view.connection.cacheMinimize()
    view.refresh()
    assert sum(1 for _ in view.root["tree"].values()) == CHANGES


def read_track(view):
    view.connection.cacheMinimize()
    view.refresh()
    track = SyncManager.getDBInstance(view.connection).getTrack()
    assert sum(1 for _ in track.iterate()) == CHANGES


class Counter(RecordUploader):
    """Its target counts, and notes when it was sent something."""

    sent = 0
    times: ClassVar[list[float]] = []

    def _uploadBatch(self, batch):
        Counter.sent += len(batch)
        Counter.times.append(time.perf_counter())


class CountingAgent(PushSyncAgent):
    """Sends changes as they are."""

    def _generateRecords(self, data, lastTS, dbi=None):
        return (action for _, action in data)

    def _run(self, data, logger=None, monitor=None, dbi=None, task=None):
        return Counter(logger, self, BATCH).iterateOver(data, dbi)


def bench_deliver():
    """Deliver recorded changes by a courier, window by window, each batch written down."""
    with fresh() as view:
        fill_track(view)
        sequence(view)
        raw = CHANGES / timed(scan_tree, view)[0]
        register(view)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        seconds, delivered = timed(Deliverer(view.database, "counting").deliver, None)
        assert delivered.records == CHANGES, delivered
        say("deliver changes", CHANGES / seconds, "/s", raw)
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        say("  memory for it", grown / 1024, "MB")


def bench_follow():
    """Commit changes one by one, and wait for each to arrive at the target of a follower."""
    with fresh() as view:
        SyncManager.getDBInstance(view.connection).setGranularity(0.005)
        register(view)
        Counter.times.clear()
        follower = DeliveryDispatcher(view.database)
        thread = threading.Thread(target=follower.run)
        thread.start()
        waits = []
        for number in range(FOLLOWED):
            began = time.perf_counter()
            transact(view.database, lambda own, number=number: record(own, None, number))
            while len(Counter.times) <= number:
                time.sleep(0.0005)
            waits.append(1000 * (Counter.times[number] - began))
        follower.stop()
        thread.join()
        waits.sort()
        say("from commit to _uploadBatch, p50", waits[len(waits) // 2], "ms")
        say("  p99", waits[len(waits) * 99 // 100], "ms")


def register(view):
    agent = CountingAgent("counting", "Counting", "", 60)
    agent.setActive(True)
    SyncManager.getDBInstance(view.connection).registerNewAgent(agent)
    view.commit()


BENCHMARKS = {
    "record": bench_record,
    "track": bench_track,
    "deliver": bench_deliver,
    "follow": bench_follow,
}
