"""Units of work: committed, or done again."""

from __future__ import annotations

import pytest
from ZODB.POSException import ConflictError

from scheduler.store import (
    current,
    transact,
)


def test_a_unit_of_work_is_committed_and_its_result_returned(view, database):
    assert transact(database, lambda connection: connection.root().setdefault("x", 5)) == 5
    view.refresh()
    assert view.root["x"] == 5


def test_a_unit_of_work_has_the_current_connection(database):
    assert transact(database, lambda connection: current() is connection)


def test_a_unit_of_work_is_done_again_after_a_conflict(database):
    runs = []

    def add(connection):
        runs.append(1)
        seen = connection.root().get("x", 0)
        if len(runs) < 3:
            transact(database, lambda other: other.root().update(x=seen + 10))
        connection.root()["x"] = seen + 1
        return seen + 1

    assert transact(database, add) == 21
    assert len(runs) == 3


def test_the_last_conflict_is_raised(database):
    def clash(connection):
        transact(database, lambda other: other.root().update(x=object.__hash__(other)))
        connection.root()["x"] = connection.root().get("x", 0)

    with pytest.raises(ConflictError):
        transact(database, clash, attempts=2)


def test_any_other_error_leaves_nothing_and_is_not_repeated(view, database):
    runs = []

    def fail(connection):
        runs.append(1)
        connection.root()["x"] = 1
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        transact(database, fail)
    assert "x" not in view.root
    assert len(runs) == 1


def test_the_note_of_a_unit_is_the_transactions_description(database):
    transact(database, lambda connection: connection.root().update(x=1), note="for the record")
    assert database.undoLog(0, 1)[0]["description"] == "for the record"
