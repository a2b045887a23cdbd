"""A database of PostgreSQL is put back to an earlier state while its clients go on.

Covers `scheduler.storage.postgres`, `scheduler.storage.postgres_restores`.
"""

from __future__ import annotations

from contextlib import closing

import psycopg2
import pytest
import transaction
from persistent.mapping import PersistentMapping
from psycopg2.extensions import make_dsn, parse_dsn
from relstorage.adapters.postgresql import PostgreSQLAdapter
from relstorage.options import Options
from relstorage.storage import RelStorage
from ZODB import DB
from ZODB.POSException import ConflictError

from scheduler.store import open_database, transact
from tests import postgres
from tests.faults.put_back import (
    check_that_it_goes_on,
    put,
    read_all,
    run_and_keep,
    wait_until_put_back,
)
from tests.scheduler.harness import viewing
from tests.waiting import DEADLINE

TABLES = ("transaction", "object_state", "current_object")
CUT = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
    "WHERE pid != pg_backend_pid() AND datname = current_database()"
)


class Server:
    """A database, which is at *uri*, and its backup."""

    def __init__(self, uri):
        self.uri = uri
        self.kept = []

    def keep(self):
        """Make the backup."""
        found = self.execute(*(f"SELECT to_regclass('{table}')" for table in TABLES))
        self.kept = [table for table, (name,) in zip(TABLES, found, strict=True) if name]
        copies = [f"CREATE TABLE kept_{table} AS SELECT * FROM {table}" for table in self.kept]  # noqa: S608
        self.oid = self.execute(*copies, "SELECT last_value FROM zoid_seq")[-1][0]

    def restore(self):
        """Put the backup in the place of the database; all connections are cut."""
        lock = f"LOCK TABLE {', '.join(self.kept)} IN ACCESS EXCLUSIVE MODE"
        empty = [f"DELETE FROM {table}" for table in reversed(self.kept)]  # noqa: S608
        fill = [f"INSERT INTO {table} SELECT * FROM kept_{table}" for table in self.kept]  # noqa: S608
        ids = f"SELECT setval('zoid_seq', {self.oid})"
        self.execute(CUT, lock, *empty, *fill, ids)

    def close(self):
        """Drop the backup."""
        for table in self.kept:
            self.execute(f"DROP TABLE kept_{table}")

    def execute(self, *commands):
        """Do all in one transaction; return the first row of each."""
        with closing(psycopg2.connect(self.uri)) as connection, connection.cursor() as cursor:
            connection.set_session("REPEATABLE READ")
            rows = []
            for command in commands:
                cursor.execute(command)
                rows.append(cursor.fetchone() if cursor.description else None)
            connection.commit()
        return rows


@pytest.fixture(scope="module")
def uri_without_history(postgres_server):
    with postgres.database(postgres_server) as uri:
        yield uri + ("&" if "?" in uri else "?") + "keep_history=false"


@pytest.fixture
def server(postgres_uri):
    with closing(open_database(postgres_uri)) as database:
        transact(database, lambda own: own.root().clear())
    with closing(Server(postgres_uri)) as server:
        yield server


@pytest.mark.parametrize("has_gone_on", [False, True])
def test_a_client_notices_and_drops_what_it_kept(server, caplog, has_gone_on):
    with closing(open_database(server.uri)) as database:
        transact(database, lambda own: put(own, a=1, inner=PersistentMapping()))
        server.keep()
        transact(database, lambda own: put(own, a=2, lost=PersistentMapping()))
        server.restore()
        if has_gone_on:
            with closing(open_database(server.uri)) as other:
                transact(other, lambda own: put(own, other=PersistentMapping()))
        found = transact(database, read_all)
        assert found == {"a": 1, "inner": {}, **({"other": {}} if has_gone_on else {})}
        assert database.epoch == 1
        transact(database, lambda own: put(own, a=4, new=PersistentMapping(x=1)))
        with closing(open_database(server.uri)) as other:
            transact(other, lambda own: put(own, newer=PersistentMapping(x=2)))
            found = transact(other, read_all)
        assert (found["a"], found["new"], found["newer"]) == (4, {"x": 1}, {"x": 2})
        assert transact(database, read_all) == found
    assert caplog.text.count("restored to an earlier state") == 1


ZCONFIG = """
%import relstorage
<zodb main>
  <relstorage>
    <postgresql>
      dsn {}
    </postgresql>
  </relstorage>
</zodb>
"""


def test_a_database_of_a_zconfig_file_notices_as_well_and_leaves_its_parent_alone(server, tmp_path):
    file = tmp_path / "zodb.conf"
    file.write_text(ZCONFIG.format(make_dsn(**parse_dsn(server.uri))))
    with closing(open_database(f"zconfig://{file}#main")) as database:
        transact(database, lambda own: put(own, a=1))
        server.keep()
        transact(database, lambda own: put(own, a=2))
        server.restore()
        assert transact(database, read_all) == {"a": 1}
        assert database.epoch == 1
        assert list(database.storage.opened_connections)


def test_a_database_that_the_application_has_opened_notices_once_a_scheduler_has_it(server, caplog):
    dsn = make_dsn(**parse_dsn(server.uri))
    with viewing(DB(RelStorage(PostgreSQLAdapter(dsn, options=Options())))) as view:
        run = run_and_keep(view, server.keep)
        server.restore()
        wait_until_put_back(view, caplog)
        view.until(lambda: view.root["count"] == 1, DEADLINE)
        run.scheduler.shutdown()
        assert (run.join(), run.error, view.database.epoch) == (0, None, 1)


def test_what_was_going_on_conflicts_though_it_changes_nothing_that_is_lost(server):
    with closing(open_database(server.uri)) as database:
        transact(database, lambda own: put(own, inner=PersistentMapping()))
        server.keep()
        transact(database, lambda own: put(own, lost=PersistentMapping()))
        going_on = database.open(transaction.TransactionManager())
        root = going_on.root()
        root["inner"]["of what is lost"] = sorted(root)
        server.restore()
        with pytest.raises(ConflictError):
            going_on.transaction_manager.commit()
        going_on.transaction_manager.abort()
        going_on.close()
        assert transact(database, read_all) == {"inner": {}}
        assert database.epoch == 1


def test_one_without_history_is_noticed_too_where_nobody_has_gone_on(uri_without_history, caplog):
    server = Server(uri_without_history.partition("?keep")[0].partition("&keep")[0])
    with closing(open_database(uri_without_history)) as database:
        transact(database, lambda own: put(own, a=1))
        server.keep()
        transact(database, lambda own: put(own, a=2))
        server.restore()
        assert transact(database, read_all) == {"a": 1}
        assert database.epoch == 1
    assert caplog.text.count("restored to an earlier state") == 1


def test_a_database_that_was_packed_is_not_taken_for_a_restored_one(server, caplog):
    with closing(open_database(server.uri)) as idle, closing(open_database(server.uri)) as other:
        transact(idle, lambda own: put(own, a=1))
        transact(other, lambda own: put(own, a=2))
        other.pack()
        assert transact(idle, read_all) == {"a": 2}
        transact(idle, lambda own: put(own, a=3))
        assert transact(other, read_all) == {"a": 3}
        assert (idle.epoch, other.epoch) == (0, 0)
    assert "restored to an earlier state" not in caplog.text


def test_a_scheduler_goes_on_with_what_the_backup_holds(server, caplog):
    with viewing(open_database(server.uri)) as view:
        run = run_and_keep(view, server.keep)
        server.restore()
        wait_until_put_back(view, caplog)
        check_that_it_goes_on(view, run)
