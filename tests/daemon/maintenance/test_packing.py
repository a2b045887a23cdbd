"""The database is packed from time to time, and goes on meanwhile."""

from __future__ import annotations

import math

import transaction

from daemon.config import Pack
from daemon.maintenance.packing import SCHEMA, Packing
from scheduler.store import connect, open_database, transact
from tests.waiting import wait_for


def grow(connection):
    connection.root()["text"] = connection.root().get("text", "") + "x" * 1000


def packed(database):
    return transact(database, lambda own: SCHEMA.get(own).last)


def test_history_that_is_old_enough_goes_and_what_is_there_stays(tmp_path):
    database = open_database(f"file://{tmp_path}/data.fs")
    for _ in range(50):
        transact(database, grow)
    before, first = database.getSize(), packed(database)
    packing = Packing(database, Pack(every=0.1, keep_history=0), lambda: True)
    packing.start()
    wait_for(lambda: packed(database) > first, what="the packing")
    packing.close()
    assert database.getSize() < before / 2
    assert transact(database, lambda own: len(own.root()["text"])) == 50_000
    database.close()


def test_a_process_that_has_joined_goes_on_while_the_database_is_packed(tmp_path):
    uri = f"file://{tmp_path}/data.fs"
    database = open_database(uri)
    first = packed(database)
    packing = Packing(database, Pack(every=0.05, keep_history=0), lambda: True)
    with connect(uri) as other:
        packing.start()
        while packed(database) < first + 0.5:
            grow(other)
            transaction.commit()
        size = len(other.root()["text"])
    packing.close()
    assert transact(database, lambda own: len(own.root()["text"])) == size
    database.close()


def test_the_database_is_not_packed_before_its_time_not_even_after_a_restart(tmp_path):
    uri = f"file://{tmp_path}/data.fs"
    database = open_database(uri)
    first = packed(database)
    for every in (math.inf, 3600):
        packing = Packing(database, Pack(every=every), lambda: True)
        packing.start()
        assert not packing._is_due()
        packing.close()
    assert packed(database) == first
    database.close()
