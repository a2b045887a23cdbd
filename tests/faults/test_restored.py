"""A ZEO server is restored from a backup while its clients go on.

Covers `scheduler.store.restore_check`.
"""

from __future__ import annotations

import shutil
from contextlib import closing

import pytest
import transaction
from persistent.mapping import PersistentMapping

from scheduler.store import open_database, transact
from tests.faults.processes import serving
from tests.faults.put_back import (
    check_that_it_goes_on,
    put,
    read_all,
    run_and_keep,
    wait_until_put_back,
)
from tests.scheduler.harness import View
from tests.waiting import DEADLINE, wait_for


@pytest.fixture
def uri(free_port):
    return f"zeo://127.0.0.1:{free_port}?wait_timeout=20"


def restore(tmp_path):
    """Put the backup in the place of the file, as it is done by hand."""
    shutil.copy(tmp_path / "backup.fs", tmp_path / "zeo.fs")
    (tmp_path / "zeo.fs.index").unlink(missing_ok=True)


@pytest.mark.parametrize("has_gone_on", [False, True])
def test_a_client_notices_and_drops_what_it_kept(tmp_path, uri, free_port, caplog, has_gone_on):
    with serving(tmp_path / "zeo.fs", free_port):
        database = open_database(uri)
        transact(database, lambda own: put(own, a=1, inner=PersistentMapping()))
        shutil.copy(tmp_path / "zeo.fs", tmp_path / "backup.fs")
        transact(database, lambda own: put(own, a=2, lost=PersistentMapping()))
        open_connection = database.open(transaction.TransactionManager())
        open_connection.root()["a"] = 3
    restore(tmp_path)
    with serving(tmp_path / "zeo.fs", free_port):
        if has_gone_on:
            with closing(open_database(uri)) as other:
                wait_for(other.storage.is_connected, DEADLINE)
                transact(other, lambda own: put(own, other=1))
        wait_for(lambda: "restored to an earlier state" in caplog.text, DEADLINE)
        wait_for(database.storage.is_connected, DEADLINE)
        assert database.epoch == 1
        with pytest.raises(transaction.interfaces.TransientError):
            open_connection.transaction_manager.commit()
        open_connection.transaction_manager.abort()
        open_connection.close()
        found = transact(database, read_all)
        assert found == {"a": 1, "inner": {}, **({"other": 1} if has_gone_on else {})}
        transact(database, lambda own: put(own, a=4))
        with closing(open_database(uri)) as other:
            assert transact(other, read_all)["a"] == 4
        database.close()


def test_a_server_that_comes_back_as_it_was_is_not_taken_for_a_restored_one(
    tmp_path, uri, free_port, caplog
):
    with serving(tmp_path / "zeo.fs", free_port):
        database = open_database(uri)
        transact(database, lambda own: put(own, a=1))
        transact(database, lambda own: own.db().pack())
    with serving(tmp_path / "zeo.fs", free_port):
        wait_for(database.storage.is_connected, DEADLINE)
        assert transact(database, read_all)["a"] == 1
        database.close()
    assert "restored to an earlier state" not in caplog.text


def test_a_scheduler_goes_on_with_what_the_backup_holds(tmp_path, uri, free_port, caplog):
    with serving(tmp_path / "zeo.fs", free_port):
        view = View(open_database(uri))
        run = run_and_keep(view, lambda: shutil.copy(tmp_path / "zeo.fs", tmp_path / "backup.fs"))
    restore(tmp_path)
    with serving(tmp_path / "zeo.fs", free_port):
        wait_until_put_back(view, caplog)
        check_that_it_goes_on(view, run)
        view.close()
        view.database.close()
