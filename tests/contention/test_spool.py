"""Eight writers on one spool, with a scheduler draining it: no conflict, nothing lost.

Covers `scheduler.inbox.spool`.
"""

from __future__ import annotations

import os
import subprocess
import threading
from datetime import timedelta

import pytest
import transaction

from scheduler import Client, nowutc
from scheduler.log.append_log import AppendLog
from scheduler.store import transact
from tests.scheduler.harness import View, python, running
from tests.scheduler.sample_tasks import Noop

WRITERS = 8
COUNT = 400 if os.environ.get("SOAK") else 60


@pytest.fixture
def view(database):
    view = View(database)
    view.root["lanes"] = AppendLog()
    view.commit()
    yield view
    view.close()


def in_threads(work):
    """Run *work(number)* in eight threads; return the errors that were raised."""
    errors = []

    def guarded(number):
        try:
            work(number)
        except Exception as error:  # noqa: BLE001 (each conflict counts)
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(number,)) for number in range(WRITERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return errors


def enqueue_many(database):
    manager = transaction.TransactionManager()
    connection = database.open(transaction_manager=manager)
    client = Client(connection)
    try:
        for _ in range(COUNT):
            client.enqueue(Noop(nowutc() + timedelta(hours=1)))
            manager.commit()
    finally:
        manager.abort()
        connection.close()


def test_threads_enqueue_while_the_spool_is_drained(view, database):
    with running(database):
        errors = in_threads(lambda number: enqueue_many(database))
        view.until_counts(waiting=WRITERS * COUNT)
    assert errors == []


ENQUEUE = """
import sys, transaction
from datetime import timedelta
from scheduler import Client, nowutc
from scheduler.store import connect
from tests.scheduler.sample_tasks import Noop
with connect(sys.argv[1]):
    client = Client()
    for _ in range(int(sys.argv[2])):
        client.enqueue(Noop(nowutc() + timedelta(hours=1)))
        transaction.commit()
"""


def test_processes_enqueue_while_the_spool_is_drained(view, database, uri):
    with running(database):
        processes = [python(ENQUEUE, uri, COUNT, stderr=subprocess.PIPE) for _ in range(WRITERS)]
        errors = [process.communicate(timeout=200)[1] for process in processes]
        view.until_counts(waiting=WRITERS * COUNT)
    assert errors == [""] * WRITERS


def test_each_writers_entries_come_out_once_and_in_its_order(view, database):
    def write(number):
        for entry in range(COUNT):
            transact(
                database,
                lambda connection: connection.root()["lanes"].append((number, entry)),  # noqa: B023
                attempts=1,
            )

    drained = []
    errors = []
    writing = threading.Thread(target=lambda: errors.extend(in_threads(write)))
    writing.start()
    while writing.is_alive() or view.root["lanes"]:
        view.refresh()
        drained += view.root["lanes"].drain(50)
        view.commit()
        view.refresh()
    writing.join()

    assert errors == []
    for number in range(WRITERS):
        assert [n for who, n in drained if who == number] == list(range(COUNT))
    assert len(drained) == WRITERS * COUNT
