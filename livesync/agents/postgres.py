"""PostgresAgent: it keeps records as rows of a table of PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Any, TypeVar

from livesync.agents.target import Items, Send, TargetAgent
from livesync.agents.timelimit import time_limit
from livesync.errors import PartialFailure, TargetFault
from livesync.records.document import json_bytes, state_in
from livesync.records.reduction import Record
from scheduler.store.encryption import seal, unseal
from scheduler.values.extras import extra_needed

with extra_needed():
    import psycopg2
    from psycopg2 import sql
    from psycopg2.extensions import connection as Connection  # noqa: N812 (a class)
    from psycopg2.extensions import cursor as Cursor  # noqa: N812 (a class)
    from psycopg2.extensions import parse_dsn
    from psycopg2.extras import execute_values

Result = TypeVar("Result")

# A value, or a constraint of the table, that is about one row.
FAULTS_OF_ROWS = (psycopg2.DataError, psycopg2.IntegrityError)

CONNECT_SECONDS = 10
STATEMENT_MILLISECONDS = 60_000
LONGEST_EXCHANGE_SECONDS = 120.0  # for what the server itself does not bring to an end
SECRET_PARTS = {"password", "sslpassword", "passfile"}

CREATE = """
    SELECT pg_advisory_xact_lock(7461);  -- two at once may fail over IF NOT EXISTS
    CREATE TABLE IF NOT EXISTS {table} (
        id text PRIMARY KEY, key text NOT NULL, document jsonb NOT NULL
    );
    CREATE TABLE IF NOT EXISTS {positions} (agent text PRIMARY KEY, position bigint)
"""
MOVE = """
    INSERT INTO {positions} AS old VALUES (%s, %s)
    ON CONFLICT (agent) DO UPDATE SET position = greatest(old.position, excluded.position)
"""
PUT = """
    INSERT INTO {table} AS old (id, key, document) VALUES %s
    ON CONFLICT (id) DO UPDATE SET key = excluded.key, document = excluded.document
    WHERE (old.key, old.document) IS DISTINCT FROM (excluded.key, excluded.document)
"""
REACHED = "SELECT position FROM {positions} WHERE agent = %s"
LIST = "SELECT id, document FROM {table}"
LISTED_AT_ONCE = 2000
DELETE = "DELETE FROM {table} WHERE id = ANY(%s)"


class PostgresAgent(TargetAgent):
    """Keeps every record as a row of *table*: its id, its key, its document as JSON.

    *dsn* is a connection string of libpq, or an address with postgresql://. A batch and the
    position of its newest change (in the table with `_position` behind its name) are one
    transaction there. A row that is there already in the same state is not touched, so a
    batch that is sent again takes effect once, for triggers and followers too.
    """

    SECRETS = ("_dsn",)

    def __init__(
        self,
        aid: str,
        name: str,
        description: str,
        updateTime: int,
        access: Any = None,
        *,
        dsn: str,
        table: str = "livesync_records",
        batch_size: int = 1000,
    ) -> None:
        super().__init__(aid, name, description, updateTime, access, batch_size=batch_size)
        try:
            parse_dsn(dsn)
        except psycopg2.ProgrammingError:
            # The message of libpq is not repeated: it may contain the password.
            raise ValueError(
                "dsn is no connection string: give host=... dbname=... or postgresql://..."
            ) from None
        self._dsn = seal(dsn)
        self._table = table

    @property
    def target(self) -> str:
        """Which server and database that is, without what is secret."""
        known = parse_dsn(unseal(self._dsn)).items()
        return " ".join(f"{name}={value}" for name, value in known if name not in SECRET_PARTS)

    def _prepare(self, record: Record) -> bytes:
        return json_bytes(_without_nul(self.told(record)))

    def reached(self) -> int | None:
        """Return the position that the table of positions tells for this agent."""
        rows = Rows(unseal(self._dsn), self._table, self._id, self.target)
        try:
            return rows.position()
        finally:
            rows.close()

    def listed(self) -> Iterator[tuple[str, Any]]:
        """Yield the rows of the table: id, and the document without what is no state."""
        rows = Rows(unseal(self._dsn), self._table, self._id, self.target)
        try:
            for obj_id, content in rows.all():
                yield obj_id, state_in(content)
        finally:
            rows.close()

    @contextmanager
    def _sender(self) -> Iterator[Send]:
        rows = Rows(unseal(self._dsn), self._table, self._id, self.target)
        try:
            rows.create()
            yield rows.send
        finally:
            rows.close()


class Rows:
    """The rows of one agent, by a connection that is opened when it is needed, and again."""

    _connection: Connection | None = None

    def __init__(self, dsn: str, table: str, agent_id: str, target: str) -> None:
        self._dsn = dsn
        self._agent_id = agent_id
        self._target = target
        self._names = {
            "table": sql.Identifier(*table.split(".")),
            "positions": sql.Identifier(*f"{table}_position".split(".")),
        }

    def create(self) -> None:
        """Make the tables, where they are missing."""
        self._transact(lambda cursor: cursor.execute(self._statement(CREATE, cursor)))

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()

    def position(self) -> int | None:
        """Return the position of the newest change that was brought."""
        self.create()
        return self._transact(self._read_position)

    def _read_position(self, cursor: Cursor) -> int | None:
        cursor.execute(self._statement(REACHED, cursor), (self._agent_id,))
        row = cursor.fetchone()
        return None if row is None else row[0]

    def all(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield all ids with their documents, as of one moment."""
        self.create()
        try:
            with self._opened() as connection, connection.cursor("listed") as cursor:
                with self._limited(connection):
                    cursor.execute(self._statement(LIST, cursor))
                while rows := self._fetched(cursor):
                    yield from rows
        except (psycopg2.Error, TimeoutError) as error:
            raise TargetFault(
                f"PostgreSQL ({self._target}) does not list its rows: {_said(error)}"
            ) from error

    def _fetched(self, cursor: Cursor) -> list[tuple[str, dict[str, Any]]]:
        with self._limited(cursor.connection):
            rows: list[tuple[str, dict[str, Any]]] = cursor.fetchmany(LISTED_AT_ONCE)
            return rows

    def send(self, items: Items) -> None:
        """Bring the rows of *items* to their new state, and the position, or neither."""
        try:
            self._transact(partial(self._bring, items))
        except FAULTS_OF_ROWS:
            refused: dict[int, str] = {}
            self._transact(partial(self._bring_each, items, refused))
            if refused:
                raise PartialFailure("PostgreSQL cannot keep all records", refused) from None

    def _bring_each(self, items: Items, refused: dict[int, str], cursor: Cursor) -> None:
        for place, item in enumerate(items):
            cursor.execute("SAVEPOINT one")
            try:
                self._bring([item], cursor)
            except FAULTS_OF_ROWS as error:
                cursor.execute("ROLLBACK TO SAVEPOINT one")
                refused[place] = _said(error)

    def _bring(self, items: Items, cursor: Cursor) -> None:
        newest = max((item.position for item in items if item.position is not None), default=None)
        # One after the other: of the runs of one agent the later one waits for the earlier.
        cursor.execute(self._statement(MOVE, cursor), (self._agent_id, newest))
        last = {item.identity: item for item in items}.values()
        gone = [item.identity for item in last if item.is_deleted]
        if gone:
            cursor.execute(self._statement(DELETE, cursor), (gone,))
        rows = [
            (item.identity, item.key, item.content.decode()) for item in last if not item.is_deleted
        ]
        if rows:
            execute_values(cursor, self._statement(PUT, cursor), rows, page_size=len(rows))

    def _statement(self, text: str, cursor: Cursor) -> str:
        statement: str = sql.SQL(text).format(**self._names).as_string(cursor)
        return statement

    def _transact(self, work: Callable[[Cursor], Result]) -> Result:
        try:
            connection = self._opened()
            with self._limited(connection), connection, connection.cursor() as cursor:
                cursor.execute("SET LOCAL statement_timeout = %s", (STATEMENT_MILLISECONDS,))
                return work(cursor)
        except FAULTS_OF_ROWS:
            raise
        except (psycopg2.Error, TimeoutError) as error:
            said = f"PostgreSQL ({self._target}) did not take the records: {_said(error)}"
            raise TargetFault(said) from error

    @staticmethod
    def _limited(connection: Connection) -> AbstractContextManager[None]:
        number = connection.fileno()
        return time_limit(LONGEST_EXCHANGE_SECONDS, lambda: number)

    def _opened(self) -> Connection:
        if self._connection is None or self._connection.closed:
            self._connection = psycopg2.connect(self._dsn, connect_timeout=CONNECT_SECONDS)
        return self._connection


def _without_nul(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_nul(one) for one in value]
    if isinstance(value, dict):
        return {_without_nul(name): _without_nul(one) for name, one in value.items()}
    # A text of PostgreSQL cannot hold it.
    return value.replace("\0", "\ufffd") if isinstance(value, str) else value


def _said(error: Exception) -> str:
    # The details of an error quote the row.
    content = error.diag.message_primary if isinstance(error, psycopg2.Error) else None
    return " ".join((content or str(error)).split())[:200]
