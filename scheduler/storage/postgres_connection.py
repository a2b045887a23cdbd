"""Connections of PostgreSQL that send BEGIN together with the first statement of a transaction.

psycopg2 sends it by itself and waits for the answer, and RelStorage, after a commit within a
statement, has it send a COMMIT that finds nothing to commit. Each journey to the server and back
is a tenth of what a small commit costs.
"""

from __future__ import annotations

from typing import Any

from psycopg2 import Binary, extensions
from relstorage.adapters.postgresql.drivers._lobject import LobConnectionMixin

_LEVELS = {
    extensions.ISOLATION_LEVEL_READ_COMMITTED: "READ COMMITTED",
    extensions.ISOLATION_LEVEL_REPEATABLE_READ: "REPEATABLE READ",
    extensions.ISOLATION_LEVEL_SERIALIZABLE: "SERIALIZABLE",
}
_IDLE = extensions.TRANSACTION_STATUS_IDLE


class PromptCursor(extensions.cursor):
    """A cursor of a PromptConnection."""

    connection: PromptConnection

    def execute(self, query: Any, values: Any = None) -> None:
        """Execute *query*, and begin a transaction with it if none is open."""
        if self.connection.get_transaction_status() == _IDLE:
            text = query if isinstance(query, str) else query.decode()
            query = f"{self.connection.beginning}{text}"
        super().execute(query, values)

    def executemany(self, query: Any, rows: Any) -> None:
        """Execute *query* with each of the *rows* of values."""
        self.connection.begin()
        super().executemany(query, rows)

    def copy_expert(self, sql: Any, file: Any, *size: int) -> None:
        """Copy rows from or to *file*."""
        self.connection.begin()
        super().copy_expert(sql, file, *size)


class PromptConnection(LobConnectionMixin, extensions.connection):
    """A connection whose transactions this class begins and ends, where psycopg2 would do it.

    To psycopg2 there are none, so that large objects are read and written by statements, and
    cursors on the server are declared to outlive the transaction.
    """

    RSDriverBinary = Binary
    replica: Any
    beginning = ""
    """The statement that begins a transaction; empty where psycopg2 does that."""
    prepared: set[str]
    """The statements that prepare others, and were executed."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.prepared: set[str] = set()
        self._modes: dict[str, Any] = {}

    @property
    def readonly(self) -> bool:
        """Whether its transactions only read."""
        return bool(self._modes.get("readonly"))

    @property
    def autocommit(self) -> bool:
        """Whether each statement is a transaction: never."""
        return False

    def set_session(self, **modes: Any) -> None:
        """Have all transactions be of these *modes*."""
        self._modes = modes
        level = _LEVELS.get(modes.get("isolation_level"))
        if level is None or modes.get("deferrable"):
            super().set_session(**modes)
            return
        access = "READ ONLY" if modes.get("readonly") else "READ WRITE"
        super().set_session(autocommit=True)
        self.beginning = f"BEGIN ISOLATION LEVEL {level} {access};"

    def cursor(self, *args: Any, **options: Any) -> Any:
        """Return a cursor."""
        if not self.beginning:
            return super().cursor(*args, **options)
        if args or "name" in options:
            self.begin()
            return super().cursor(*args, withhold=True, **options)
        return super().cursor(cursor_factory=PromptCursor, **options)

    def begin(self) -> None:
        """Begin a transaction, if none is open."""
        if self.beginning and self.get_transaction_status() == _IDLE:
            self._send(self.beginning)

    def commit(self) -> None:
        """Commit, if a transaction is open."""
        if not self.beginning:
            super().commit()
        elif self.get_transaction_status() != _IDLE:
            self._send("COMMIT")

    def rollback(self) -> None:
        """Roll back, if a transaction is open."""
        if not self.beginning:
            super().rollback()
        elif self.get_transaction_status() != _IDLE:
            self._send("ROLLBACK")

    def _send(self, statement: str) -> None:
        with super().cursor() as cursor:
            cursor.execute(statement)
