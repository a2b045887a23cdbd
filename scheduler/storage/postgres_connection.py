"""Connections of PostgreSQL that send BEGIN together with the first statement of a transaction.

psycopg2 sends it by itself and waits for the answer, and RelStorage, after a commit within a
statement, has it send a COMMIT that finds nothing to commit. Each journey to the server and back
is a tenth of what a small commit costs.
"""

from __future__ import annotations

from typing import Any

from psycopg2 import extensions

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
        beginning = self.connection.beginning
        if beginning and self.connection.get_transaction_status() == _IDLE:
            if isinstance(query, bytes):
                query = query.decode(extensions.encodings[self.connection.encoding])
            query = f"{beginning}{query}"
        super().execute(query, values)

    def executemany(self, query: Any, rows: Any) -> None:
        """Execute *query* with each of the *rows* of values."""
        self.connection.begin()
        super().executemany(query, rows)

    def copy_expert(self, sql: Any, file: Any, *size: int) -> None:
        """Copy rows from or to *file*."""
        self.connection.begin()
        super().copy_expert(sql, file, *size)


class PromptConnection(extensions.connection):
    """A connection whose transactions this class begins and ends, where psycopg2 would do it.

    What needs transactions of psycopg2 itself, large objects and cursors on the server, changes
    the connection to those for good.
    """

    replica: Any
    beginning = ""
    """What begins a transaction; empty where psycopg2 does that."""
    prepared: set[str]
    """The names of the statements that are prepared."""

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
        if options.get("name") or args:
            self._leave_to_psycopg2()
            return super().cursor(*args, **options)
        return super().cursor(cursor_factory=PromptCursor, **options)

    def lobject(self, *args: Any, **options: Any) -> Any:
        """Return a large object."""
        self._leave_to_psycopg2()
        return super().lobject(*args, **options)

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

    def _leave_to_psycopg2(self) -> None:
        if not self.beginning:
            return
        is_open = self.get_transaction_status() != _IDLE
        self.beginning = ""
        super().set_session(autocommit=False, **self._modes)
        if is_open:
            self._send("SELECT 1")  # psycopg2 knows of the transaction from now on

    def _send(self, statement: str) -> None:
        with super().cursor() as cursor:
            cursor.execute(statement)
