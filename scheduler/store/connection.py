"""Connections that notice that their process was forked since they were opened."""

from __future__ import annotations

import os
from typing import Any

from ZODB.mvccadapter import HistoricalStorageAdapter
from ZODB.POSException import ReadConflictError

from scheduler.errors import OpenedBeforeFork
from scheduler.storage.descriptors import redirect
from scheduler.storage.internals import let_go, savepoint_file, shared_storage
from scheduler.store.commit import is_lazy, last_step, nothing_stored
from scheduler.store.missing_class import Reader
from scheduler.store.observed import ObservedConnection


class OwnConnection(ObservedConnection):
    """A connection that belongs to the process that uses it.

    In a child process, one that was opened before the fork sees the database as it is then,
    from its first use on. Where it had uncommitted changes, OpenedBeforeFork is raised until
    the transaction is aborted: the parent has the same changes, and may have committed them.
    """

    _present = os.getpid()
    """The process that runs: a look at an attribute costs less than to ask the system."""

    _process = 0
    _epoch = 0
    _opened_storage: Any = None

    def __init__(self, db: Any, *args: Any, **options: Any) -> None:
        super().__init__(db, *args, **options)
        self._reader = Reader(self, self._cache, db.classFactory)

    @property
    def _storage(self) -> Any:
        if self._process != self._present:
            self._cross()
        return self._opened_storage

    @_storage.setter
    def _storage(self, storage: Any) -> None:
        self._process = self._process or self._present
        self._opened_storage = storage

    def newTransaction(self, transaction: Any, sync: bool = True) -> None:  # noqa: N802 (ZODB's)
        """See the database as it is now."""
        self._epoch = -1
        while self._epoch != self._db.epoch:  # it may be found restored just now
            self._epoch = self._db.epoch
            super().newTransaction(transaction, sync)

    def register(self, obj: Any) -> None:
        """Note that *obj* was changed."""
        if self._process != self._present:
            self._refuse()  # what it holds is of before the fork
        super().register(obj)

    def savepoint(self) -> Any:
        """Keep what was changed up to here."""
        if self._process != self._present:
            self._cross()
        return super().savepoint()

    def tpc_begin(self, transaction: Any) -> None:
        """Begin to commit."""
        if self._process != self._present:
            self._cross()
        with nothing_stored():
            super().tpc_begin(transaction)
        transaction.data(self).is_lazy = is_lazy(transaction)

    def commit(self, transaction: Any) -> None:
        """Give the changes to the storage."""
        if self._epoch != self._db.epoch:
            raise ReadConflictError("the database was put back to an earlier state meanwhile")
        with nothing_stored():
            super().commit(transaction)

    def _store_objects(self, writer: Any, transaction: Any) -> None:
        super()._store_objects(writer, transaction)
        let_go(writer)

    def tpc_vote(self, transaction: Any) -> None:
        """Have the storage vote."""
        with nothing_stored():
            super().tpc_vote(transaction)

    def tpc_finish(self, transaction: Any) -> None:
        """Finish the commit; raises OutcomeUnknown if its outcome is unknown."""
        with last_step(self._db.storage, self._serials):
            super().tpc_finish(transaction)

    def _serials(self) -> dict[bytes, bytes]:
        changed = ((oid, self._cache.get(oid)) for oid in self._modified)
        return {
            oid: obj._p_serial
            for oid, obj in changed
            if obj is not None and obj._p_changed is not None
        }

    def tpc_abort(self, transaction: Any) -> None:
        """Drop the changes."""
        if self._process != self._present:
            self.abort(transaction)
        else:
            super().tpc_abort(transaction)

    def close(self, primary: bool = True) -> None:
        """Give the connection back to its database."""
        if self._process != self._present:
            self._opened_storage = self._normal_storage = None
        super().close(primary)

    def leave_parent(self) -> None:
        """Share nothing with the parent process; objects loaded before the fork are reloaded."""
        savepoints = self._savepoint_storage
        if savepoints is not None:
            redirect(iter([savepoint_file(savepoints).fileno()]))
        if self._needs_to_join:
            self._forget()

    def _forget(self) -> None:
        # Not the one that is being loaded at this moment.
        loaded = [oid for oid, obj in self._cache.cache_data.items() if obj._p_changed is False]
        self._cache.invalidate(loaded)

    def _cross(self) -> None:
        if self._opened_storage is None:
            return
        if not self._needs_to_join:
            self._refuse()
        shared = shared_storage(self._db)
        self._process = self._present
        self._storage = self._normal_storage = _instance_of(shared, self.before)
        self._db.adopt(self)
        self._readCurrent.clear()
        self._epoch = self._db.epoch
        self._storage.sync(False)
        self._storage.poll_invalidations()
        self._forget()

    def _refuse(self) -> None:
        raise OpenedBeforeFork(
            f"this connection was opened in process {self._process}, from which process "
            f"{os.getpid()} was forked in the middle of a transaction: call transaction.abort() "
            "here and do the work again, or open connections after the fork only"
        )


def _note_fork() -> None:
    OwnConnection._present = os.getpid()  # noqa: SLF001 (the class of this file)


os.register_at_fork(after_in_child=_note_fork)


def _instance_of(shared: Any, before: bytes | None) -> Any:
    if before is None:
        return shared.new_instance()
    if hasattr(shared, "before_instance"):
        return shared.before_instance(before)
    return HistoricalStorageAdapter(shared.new_instance(), before)
