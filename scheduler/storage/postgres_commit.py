"""Commits of PostgreSQL in two statements, where RelStorage fills temporary tables in between.

Emptying a temporary table at the end of each transaction costs the server more than the commit.
The tables, the locks and the choice of the transaction's id are those of RelStorage, so that
clients with and without this work on one database. Large commits, those with blobs, undo, and
databases without history are left to RelStorage, as is all where the functions cannot be made.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Mapping
from typing import Any

import psycopg2
from relstorage.adapters.postgresql import PostgreSQLAdapter
from relstorage.adapters.postgresql.locker import PostgreSQLLocker
from relstorage.adapters.postgresql.mover import PostgreSQLObjectMover
from ZODB.POSException import ReadConflictError

log = logging.getLogger(__name__)

# Bytes, and objects, from which on a commit is large: it is copied to the server, not quoted.
LARGE_BYTES = 256 * 1024
MANY = 500
# The object id in the row that says that the known transaction is not there.
NO_OBJECT = -1
# The advisory lock of those who make the functions; RelStorage has -1 and -2.
MAKING = -3

_ARE_THERE = (
    "SELECT to_regproc('relay_lock_2') IS NOT NULL AND to_regproc('relay_store_2') IS NOT NULL"
)
_MAKE = """
CREATE OR REPLACE FUNCTION relay_lock_2(
    read_oids BIGINT[], read_tids BIGINT[], oids BIGINT[], tids BIGINT[], known BIGINT
) RETURNS TABLE (zoid BIGINT, tid BIGINT, prev_tid BIGINT, committed_state BYTEA)
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
BEGIN
    -- Those that are read only are not waited for: two who did so could wait for each other.
    IF EXISTS (
        SELECT 1 FROM (
            SELECT pg_try_advisory_xact_lock_shared(each.oid) AS has_lock
            FROM unnest(read_oids) AS each (oid) ORDER BY each.oid
        ) AS tried WHERE NOT tried.has_lock
    ) THEN
        RAISE EXCEPTION USING ERRCODE = 'lock_not_available', HINT = 'readCurrent';
    END IF;
    RETURN QUERY
        SELECT stored.zoid, stored.tid, NULL::BIGINT, NULL::BYTEA
        FROM unnest(read_oids, read_tids) AS each (oid, tid)
        JOIN current_object AS stored ON stored.zoid = each.oid
        WHERE stored.tid <> each.tid LIMIT 1;
    IF FOUND THEN
        RETURN;
    END IF;
    PERFORM pg_advisory_xact_lock(sorted.oid) FROM (
        SELECT each.oid FROM unnest(oids, tids) AS each (oid, tid)
        WHERE each.tid <> 0 ORDER BY each.oid
    ) AS sorted;
    RETURN QUERY
        SELECT stored.zoid, stored.tid, each.tid, revision.state
        FROM unnest(oids, tids) AS each (oid, tid)
        JOIN current_object AS stored ON stored.zoid = each.oid
        JOIN object_state AS revision ON revision.zoid = stored.zoid AND revision.tid = stored.tid
        WHERE stored.tid <> each.tid;
    IF known <> 0 AND NOT EXISTS (SELECT 1 FROM transaction AS t WHERE t.tid = known) THEN
        RETURN QUERY SELECT -1::BIGINT, NULL::BIGINT, NULL::BIGINT, NULL::BYTEA;
    END IF;
END $$;

CREATE OR REPLACE FUNCTION relay_store_2(
    username BYTEA, description BYTEA, extension BYTEA,
    oids BIGINT[], tids BIGINT[], sums TEXT[], states BYTEA[]
) RETURNS BIGINT
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    chosen BIGINT := lock_and_choose_tid(FALSE, username, description, extension);
BEGIN
    INSERT INTO object_state (zoid, tid, prev_tid, md5, state_size, state)
        SELECT each.oid, chosen, each.tid, each.sum, COALESCE(LENGTH(each.state), 0), each.state
        FROM unnest(oids, tids, sums, states) AS each (oid, tid, sum, state);
    INSERT INTO current_object (zoid, tid)
        SELECT each.oid, chosen FROM unnest(oids) AS each (oid)
        ON CONFLICT (zoid) DO UPDATE SET tid = excluded.tid;
    RETURN chosen;
END $$;
"""
_LAZILY = "SET LOCAL synchronous_commit TO off;"
_LOCK = "SELECT * FROM relay_lock_2(%s::BIGINT[], %s::BIGINT[], %s::BIGINT[], %s::BIGINT[], %s)"
# The commit is sent with it, so that its locks are held for no journey to the client and back.
_STORE = """
SELECT set_config('relay.tid', relay_store_2(
    %s, %s, %s, %s::BIGINT[], %s::BIGINT[], %s::TEXT[], %s::BYTEA[]
)::TEXT, FALSE);
COMMIT;
SELECT current_setting('relay.tid')
"""


class CommitFunctions:
    """The functions of the database that make a commit, for all connections of a process."""

    def __init__(self) -> None:
        self._are_there: bool | None = None

    def can_be_used(self, adapter: PostgreSQLAdapter) -> bool:
        """Return whether they are in the database of *adapter*; they are made if they can be."""
        if self._are_there is None:
            self._are_there = self._make(adapter)
        return self._are_there

    def forget(self) -> None:
        """Look for them anew at the next commit."""
        self._are_there = None

    def _make(self, adapter: PostgreSQLAdapter) -> bool:
        driver = adapter.driver
        if not (adapter.keep_history and driver.supports_copy):
            return False
        if not driver.supports_multiple_statement_execute:
            return False
        try:
            adapter.connmanager.open_and_call(_make)
        except psycopg2.Error as error:
            log.info("commits are left to RelStorage: its database takes no functions: %s", error)
            return False
        return True


def _make(connection: Any, cursor: Any) -> None:
    cursor.execute(_ARE_THERE)
    if cursor.fetchone()[0]:
        return
    cursor.execute("SELECT pg_advisory_xact_lock(%s)", (MAKING,))
    cursor.execute(_MAKE)
    connection.commit()


class PendingMover(PostgreSQLObjectMover):
    """Keeps the objects of a small commit until it is known how they are to be stored."""

    pending: Any = None

    @classmethod
    def of(cls, mover: PostgreSQLObjectMover) -> PendingMover:
        """Return one in the place of *mover*, for one connection."""
        own: PendingMover = copy.copy(mover)
        own.__class__ = cls
        return own

    def store_temps(self, cursor: Any, temps: Any) -> None:
        """Keep *temps*, the objects to be stored, if they are few and small; else send them."""
        if len(temps) > MANY or sum(end - start for start, end, *_ in temps.items()) > LARGE_BYTES:
            super().store_temps(cursor, temps)
        else:
            self.pending = temps

    def replace_temps(self, cursor: Any, temps: Any) -> None:
        """Replace objects by the results of conflict resolution, which is done in what is kept."""
        if self.pending is None:
            super().replace_temps(cursor, temps)

    def digest(self, state: bytes) -> str:
        """Return the checksum of *state* that RelStorage keeps beside it."""
        checksum: str = self._compute_md5sum(state)
        return checksum

    def send(self, cursor: Any) -> None:
        """Send what is kept, as RelStorage does it."""
        pending, self.pending = self.pending, None
        if pending is not None:
            super().store_temps(cursor, pending)


class KeptTimeoutLocker(PostgreSQLLocker):
    """Sets the time limit of locks once a connection, not before each commit."""

    def _on_store_opened_set_row_lock_timeout(self, cursor: Any, restart: bool = False) -> None:
        if not restart:
            super()._on_store_opened_set_row_lock_timeout(cursor, restart)


class CommitAdapter(PostgreSQLAdapter):
    """An adapter that makes small commits in two statements: one to lock, one to store."""

    mover: Any
    locker: Any
    functions: CommitFunctions
    _is_lazy = False

    @property
    def known_tid(self) -> int:
        """The transaction that must be there when a commit begins; 0 for none."""
        return 0

    def take_over(self, functions: CommitFunctions) -> None:
        """Make commits with *functions* from now on, where they can be used."""
        self.functions = functions
        self.mover = PendingMover.of(self.mover)
        self.locker.__class__ = KeptTimeoutLocker

    def begin_commit(self, *, is_lazy: bool) -> None:
        """Forget what is left of an aborted commit; a lazy one does not wait for the disk."""
        self.mover.pending = None
        self._is_lazy = is_lazy

    def lock_database_and_move(
        self,
        store_connection: Any,
        load_connection: Any,
        transaction_has_blobs: bool,
        ude: Any,
        commit: bool = True,
        committing_tid_int: int | None = None,
        after_selecting_tid: Any = lambda tid: None,
    ) -> tuple[int, str]:
        """Store what was locked, commit it, and return the number of the transaction."""
        is_direct = commit and not transaction_has_blobs and committing_tid_int is None
        if not is_direct or self.mover.pending is None:
            self.mover.send(store_connection.cursor)
            found: tuple[int, str] = super().lock_database_and_move(
                *(store_connection, load_connection, transaction_has_blobs, ude),
                *(commit, committing_tid_int, after_selecting_tid),
            )
            return found
        tid = self._store(store_connection, ude)
        after_selecting_tid(tid)
        return tid, "-"

    def _store(self, store_connection: Any, ude: Any) -> int:
        binary = self.driver.Binary
        states, oids, tids = zip(*self.mover.pending, strict=True)
        self.mover.pending = None
        self.driver.execute_multiple_statement_with_hidden_commit(
            store_connection.connection,
            store_connection.cursor,
            _STORE,
            (
                *(binary(text) for text in ude),
                *([*oids], [*tids]),
                [None if state is None else self.mover.digest(state) for state in states],
                [None if state is None else binary(state) for state in states],
            ),
        )
        (tid,) = store_connection.cursor.fetchone()
        self.driver.sync_status_after_hidden_commit(store_connection.connection)
        return int(tid)

    def _best_lock_objects_and_detect_conflicts(
        self, cursor: Any, read_current_oids: Mapping[int, int]
    ) -> Any:
        if not self.functions.can_be_used(self):
            self.mover.send(cursor)
        if self.mover.pending is None:
            if self._is_lazy:
                cursor.execute(_LAZILY)
            return super()._best_lock_objects_and_detect_conflicts(cursor, read_current_oids)
        stored = [(oid, tid) for *_, oid, tid in self.mover.pending.items()]
        try:
            cursor.execute(
                _LAZILY + _LOCK if self._is_lazy else _LOCK,
                (
                    *([*read_current_oids.keys()], [*read_current_oids.values()]),
                    *([oid for oid, _ in stored], [tid for _, tid in stored]),
                    self.known_tid,
                ),
            )
        except psycopg2.errors.UndefinedFunction as error:
            self.functions.forget()
            raise ReadConflictError(
                "the functions of commits are gone; they are made anew"
            ) from error
        return cursor.fetchall()

    def _composed_lock_objects_and_detect_conflicts(
        self, cursor: Any, read_current_oids: Any
    ) -> Any:
        self.mover.send(cursor)  # it looks for them in the temporary table
        return super()._composed_lock_objects_and_detect_conflicts(cursor, read_current_oids)

    def _create(self) -> None:
        super()._create()
        self.take_over(CommitFunctions())
