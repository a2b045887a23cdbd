"""Processes that record changes, and that follow them, for the test of the whole feed."""

from __future__ import annotations

import json
import logging
import os
import random
import sys
import time
from pathlib import Path

import transaction
from persistent.mapping import PersistentMapping
from transaction.interfaces import TransientError
from ZEO.Exceptions import ClientDisconnected
from ZODB.POSException import ReadConflictError

from livesync import PushSyncAgent, RecordUploader, SyncManager
from livesync.delivery.deliverer import Deliverer
from livesync.errors import LiveSyncException
from scheduler.errors import SchedulerException
from scheduler.store import open_database

log = logging.getLogger(__name__)

AWAY = (ClientDisconnected, SchedulerException)


class Appender(RecordUploader):
    """Its target is a file, with a line for each batch that is there whole or not at all."""

    def _uploadBatch(self, batch):
        with open(self._agent.path, "ab", buffering=0) as target:
            target.write(json.dumps(batch).encode() + b"\n")


class AppendingAgent(PushSyncAgent):
    """Sends positions and values, oldest first."""

    path = ""

    def _generateRecords(self, data, lastTS, dbi=None):
        return sorted([position, value] for position, value in data)

    def _run(self, data, logger=None, monitor=None, dbi=None, task=None):
        return Appender(logger, self, 200).iterateOver(data, dbi)


def write(uri: str, writer: int, count: int, longest: float) -> None:
    """Record *count* changes in transactions of random size and length; none twice."""
    chance = random.Random(writer)
    database = opened(uri)
    number = 0
    while number < count:
        size = min(chance.randint(1, 5), count - number)
        try:
            number = write_some(database, writer, number, size, chance.uniform(0, longest))
        except (TransientError, ReadConflictError):
            continue
        except AWAY:
            # Whether it was committed is unknown: the next one looks.
            time.sleep(0.05)
    database.close()


def write_some(database, writer: int, number: int, size: int, seconds: float) -> int:
    """Record the changes from *number* on, unless they are there; return the next number."""
    manager = transaction.TransactionManager()
    connection = database.open(transaction_manager=manager)
    try:
        mine = connection.root()[f"writer-{writer}"]
        if mine["next"] > number:
            return mine["next"]
        sync = SyncManager.getDBInstance(connection)
        for change in range(number, number + size):
            sync.add(time.time(), f"{writer:02}-{change:06}")
        mine["next"] = number + size
        time.sleep(seconds)
        manager.commit()
        return number + size
    finally:
        manager.abort()
        connection.close()


def follow(uri: str) -> None:
    """Deliver to all agents, again and again, until killed."""
    database = opened(uri)
    while True:
        for name in ("one", "two"):
            try:
                Deliverer(database, name).deliver(None)
            except (LiveSyncException, TransientError, *AWAY) as error:
                log.info("%s: %r", name, error)
                time.sleep(0.05)
        time.sleep(0.01)


def plant(connection, folder: Path, writers: int) -> None:
    """Make the agents, and what the writers count by."""
    manager = SyncManager.getDBInstance(connection)
    manager._granularity = 1
    for name in ("one", "two"):
        agent = AppendingAgent(name, name, "", 1)
        agent.path = str(folder / name)
        agent.setActive(True)
        manager.registerNewAgent(agent)
    for writer in range(writers):
        connection.root()[f"writer-{writer}"] = PersistentMapping(next=0)


def opened(uri: str):
    """Return the database; it may just be passing from one process to another."""
    deadline = time.monotonic() + 60
    while True:
        try:
            return open_database(uri)
        except AWAY:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


if __name__ == "__main__":
    if sys.argv[1] == "write":
        write(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), float(sys.argv[5]))
    else:
        follow(sys.argv[2])
    os._exit(0)
