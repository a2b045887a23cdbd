"""An idle connection does not keep the ids of all that changes while it waits to be used.

Covers `scheduler.storage.bounded_adapter`.
"""

from __future__ import annotations

import pytest
import transaction
from persistent.mapping import PersistentMapping
from ZODB import DB
from ZODB.MappingStorage import MappingStorage

from scheduler.storage import bounded_adapter
from scheduler.storage.bounded_adapter import bound

MOST, ITEMS = 65, 60


@pytest.fixture(params=["its own", "the application's"])
def shared(request, database, monkeypatch):
    """A database whose connections keep few ids."""
    monkeypatch.setattr(bounded_adapter, "MOST_CHANGED", MOST)
    if request.param == "its own":
        yield database
        return
    own = DB(MappingStorage())
    own.open().close()
    bound(own._mvcc_storage)
    yield own
    own.close()


@pytest.mark.parametrize("rounds", [1, 10])
def test_an_idle_connection_sees_what_has_changed_and_keeps_few_ids(shared, rounds):
    manager, idle_manager = transaction.TransactionManager(), transaction.TransactionManager()
    writer, idle = shared.open(manager), shared.open(idle_manager)
    items = writer.root()["items"] = [PersistentMapping(n=0) for _ in range(ITEMS)]
    manager.commit()
    idle_manager.begin()
    seen = list(idle.root()["items"])
    assert {item["n"] for item in seen} == {0}
    kept = []
    for number in range(1, rounds + 1):
        for item in items:
            item["n"] = number
        manager.commit()
        items.append(PersistentMapping(n=number))
        writer.root()._p_changed = True
        manager.commit()
        kept.append(len(idle._storage._invalidations or ()))
    assert max(kept) <= MOST
    idle_manager.begin()
    assert {item["n"] for item in seen} == {rounds}
    assert len(idle.root()["items"]) == ITEMS + rounds
    for each, own in ((writer, manager), (idle, idle_manager)):
        own.abort()
        each.close()
