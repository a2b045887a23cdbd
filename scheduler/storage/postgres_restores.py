"""The adapter of PostgreSQL that notices that its database was put back to an earlier state."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import Any

from relstorage.adapters.postgresql.adapter import PGPoller
from ZODB.POSException import ReadConflictError
from ZODB.utils import p64

from scheduler.storage.postgres_commit import NO_OBJECT, CommitAdapter
from scheduler.storage.postgres_connection import PromptConnection

_IS_THERE = "SELECT 1 FROM transaction WHERE tid = %s"
# The last row, of no object, says that the known transaction is gone.
_POLL = """
PREPARE relay_poll (BIGINT, BIGINT) AS
    (SELECT zoid, tid FROM current_object WHERE tid > $1)
    UNION ALL
    (SELECT -1, -1 WHERE NOT EXISTS (SELECT 1 FROM transaction WHERE tid = $2))
    ORDER BY tid DESC;
"""
_IS_PACKED = "SELECT 1 FROM transaction WHERE tid > %s AND packed LIMIT 1"


class KnownTransaction:
    """The newest transaction that this process knows of, whatever connection met it."""

    def __init__(self) -> None:
        self.tid = 0
        """Its number; 0 for none."""
        self.drops = 0
        """How often it was gone, and all that was kept was dropped."""
        self.drop: Callable[[], None] = lambda: None
        """Drops the states of objects that all connections share."""
        self.on_restore: Callable[[bytes, bytes], None] = lambda last, newest: None
        """Called once for each that is lost, with its id, and that of the newest one now."""
        self._gone: set[int] = set()
        self._lock = Lock()

    def met(self, tid: int) -> None:
        """Know of transaction *tid*."""
        with self._lock:
            self.tid = max(self.tid, tid)

    def forget(self, tid: int) -> bool:
        """Drop what is known, since *tid* is gone; return whether that is new."""
        with self._lock:
            self.tid = 0
            self.drops += 1
            self.drop()
            is_new = tid not in self._gone
            self._gone.add(tid)
            return is_new


class RestorePoller(PGPoller):
    """Looks, before it polls, for the newest transaction that was known.

    A database without history has only the newest one of each object: there that one is missed
    only as long as no later one is stored.
    """

    known: KnownTransaction

    def get_current_tid(self, cursor: Any) -> int:
        """Return the newest transaction."""
        tid: int = super().get_current_tid(cursor)
        self.known.met(tid)
        return tid

    def poll_invalidations(self, conn: Any, cursor: Any, newest: int | None) -> tuple[Any, int]:
        """Return the changes after *newest*, and the last transaction."""
        known = max(newest or 0, self.known.tid)
        found: tuple[Any, int] | None
        if newest and self._can_ask_at_once(conn):
            found = self._changes(conn, cursor, newest, known)
        elif self._is_gone(cursor, known):
            found = None
        else:
            found = super().poll_invalidations(conn, cursor, newest)
        if found is None:
            self._forget(cursor, known)
            return None, 0  # RelStorage drops what it knows
        self.known.met(found[1])
        return found

    def _can_ask_at_once(self, conn: Any) -> bool:
        is_looked_for = self.keep_history and not self.transactions_may_go_backwards
        return is_looked_for and isinstance(conn, PromptConnection)

    def _changes(
        self, conn: PromptConnection, cursor: Any, newest: int, known: int
    ) -> tuple[Any, int] | None:
        """Return the changes after *newest*, and the last transaction; None if *known* is gone."""
        if _POLL not in conn.prepared:
            cursor.execute(_POLL)
            conn.prepared.add(_POLL)
        cursor.execute("EXECUTE relay_poll(%s, %s)", (newest, known))
        rows = cursor.fetchall()
        if not rows:
            return (), newest
        return None if rows[-1][0] == NO_OBJECT else (rows, rows[0][1])

    def is_lost(self, cursor: Any, tid: int) -> bool:
        """Return whether *tid* was stored once and is not, and was not packed away either."""
        if not self._is_gone(cursor, tid):
            return False
        if not self.keep_history:
            return True
        # A pack marks the transactions up to its date, of which some are later and stay.
        cursor.execute(_IS_PACKED, (tid,))
        return cursor.fetchone() is None

    def _is_gone(self, cursor: Any, tid: int) -> bool:
        if not tid or self.transactions_may_go_backwards:  # of replicas one may be behind
            return False
        if not self.keep_history:
            return bool(super().get_current_tid(cursor) < tid)
        cursor.execute(_IS_THERE, (tid,))
        return cursor.fetchone() is None

    def _forget(self, cursor: Any, tid: int) -> None:
        is_lost = self.is_lost(cursor, tid)
        if self.known.forget(tid) and is_lost:
            self.known.on_restore(p64(tid), p64(super().get_current_tid(cursor)))


class RestoreAdapter(CommitAdapter):
    """An adapter that looks for what was known before it polls and before it commits."""

    known: KnownTransaction
    poller: Any

    @property
    def known_tid(self) -> int:
        """The newest transaction that this process knows of; 0 for none."""
        return self.known.tid

    def new_instance(self) -> RestoreAdapter:
        """Return an adapter for another connection, which knows the same."""
        instance: RestoreAdapter = super().new_instance()
        instance.share(self.known)
        instance.functions = self.functions
        return instance

    def share(self, known: KnownTransaction) -> None:
        """Take *known* as what this process knows."""
        self.known = self.poller.known = known

    def watch(self, known: KnownTransaction) -> None:
        """Look for *known* from now on, before each poll and each commit."""
        self.poller = RestorePoller(
            self.driver,
            keep_history=self.keep_history,
            runner=self.runner,
            revert_when_stale=self.options.revert_when_stale,
            transactions_may_go_backwards=self.poller.transactions_may_go_backwards,
        )
        self.share(known)

    def lock_objects_and_detect_conflicts(self, cursor: Any, read_current_oids: Any) -> Any:
        """Lock what is to be stored; raises ReadConflictError in a database put back meanwhile."""
        known = self.known_tid
        conflicts = super().lock_objects_and_detect_conflicts(cursor, read_current_oids)
        has_looked = self.mover.pending is not None
        is_there = has_looked and all(oid != NO_OBJECT for oid, *_ in conflicts)
        if not is_there and self.poller.is_lost(cursor, known):
            raise ReadConflictError("the database was put back to an earlier state meanwhile")
        return [conflict for conflict in conflicts if conflict[0] != NO_OBJECT]

    def _create(self) -> None:
        super()._create()
        self.watch(KnownTransaction())
