"""The transactions of the embedded database are read while others append to its file."""

from __future__ import annotations

import threading
from contextlib import closing

import transaction

from scheduler.store import open_database, transact


def commit(connection, number):
    connection.root()["number"] = number


def tids(database, *limits):
    with closing(database.storage.iterator(*limits)) as found:
        return [each.tid for each in found]


def test_half_a_transaction_at_the_end_of_the_file_is_not_read(tmp_path):
    with closing(open_database(f"file://{tmp_path}/data.fs")) as database:
        for number in range(3):
            transact(database, lambda found, number=number: commit(found, number))
        known = tids(database)
        with open(tmp_path / "data.fs", "ab") as file:
            file.write(b"\xff" * 60)  # another process is about to commit
        assert tids(database) == known
        assert tids(database, known[-1], known[-1]) == known[-1:]


def test_the_last_transaction_is_found_while_another_thread_commits(tmp_path):
    with closing(open_database(f"file://{tmp_path}/data.fs")) as database:

        def write():
            for _ in range(40):
                # So large that a part of it is in the file for a while.
                transact(database, lambda found: commit(found, "x" * 1_000_000))

        transact(database, lambda found: commit(found, 0))
        writing = threading.Thread(target=write)
        writing.start()
        while writing.is_alive():
            last = database.lastTransaction()
            assert tids(database, last, last) == [last]
        writing.join()


def test_transactions_are_read_from_the_file_that_a_pack_put_in_place(tmp_path):
    uri = f"file://{tmp_path}/data.fs"
    with closing(open_database(uri)) as database, closing(open_database(uri)) as other:
        for number in range(3):
            transact(database, lambda found, number=number: commit(found, number))
        assert len(tids(other)) > 1
        transaction.begin()
        database.pack()
        last = database.lastTransaction()
        assert tids(other)[-1] == last
        assert tids(other, last, last) == [last]
