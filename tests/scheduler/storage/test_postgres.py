"""The scheduler on a real PostgreSQL server, and with a Dask cluster.

Covers `scheduler.executors.dask`, `scheduler.executors.dask_workers`.
"""

import os
import signal
import threading
from contextlib import closing

import psutil
import pytest
import transaction
from ZODB.utils import u64

from scheduler import (
    TASK_STATUS_ABORTED,
    TASK_STATUS_FINISHED,
    TASK_STATUS_TERMINATED,
    Client,
    nowutc,
)
from scheduler.errors import DatabaseUnavailable
from scheduler.insight.commit_log import task_commits
from scheduler.insight.dry_run import try_out
from scheduler.insight.replay import replay
from scheduler.insight.undo import undo
from scheduler.leadership.roster import roster_of
from scheduler.store import open_database
from scheduler.store.commit import commit_lazily, reach_disk
from tests.postgres import query
from tests.scheduler.bank import Account, Deposit
from tests.scheduler.function_story import tell_the_story
from tests.scheduler.harness import running, viewing
from tests.scheduler.sample_children import WithChild
from tests.scheduler.sample_long import Endless, Limited, Report, Sleep, Wait
from tests.scheduler.sample_misbehaving import DieOnce
from tests.scheduler.sample_tasks import Count, Noop
from tests.waiting import wait_for


@pytest.fixture
def on_postgres(postgres_uri):
    with viewing(open_database(postgres_uri)) as view:
        yield view


def test_both_schemes_and_the_options_of_zodburi_are_understood(postgres_uri, tmp_path):
    address = postgres_uri.replace("postgresql://", "postgres://", 1)
    sign = "&" if "?" in address else "?"
    options = f"connection_pool_size=60&database_name=x&blob_dir={tmp_path}/blobs&cache_local_mb=2"
    with closing(open_database(f"{address}{sign}{options}")) as database:
        assert database.pool.size == 60
        assert database.storage._options.cache_local_mb == 2
    with pytest.raises(DatabaseUnavailable, match="connection_pool_size is 'many'"):
        open_database(f"{address}{sign}connection_pool_size=many")
    with pytest.raises(DatabaseUnavailable, match="colour"):
        open_database(f"{address}{sign}colour=red")


def test_on_postgres_functions_have_schedules_limits_and_bulk_orders(on_postgres):
    tell_the_story(on_postgres, "threads")


@pytest.mark.parametrize("mode", ["threads", "processes"])
def test_on_postgres_each_task_has_its_effect_once(on_postgres, mode):
    before = on_postgres.root.get("count", 0)
    tasks = [Count(nowutc()) for _ in range(30)]
    on_postgres.enqueue(*tasks)
    with running(on_postgres.database, multitask_mode=mode):
        on_postgres.until(lambda: on_postgres.root.get("count", 0) == before + 30)
        on_postgres.until(lambda: on_postgres.counts().get("running", 0) == 0)
    assert on_postgres.root["count"] == before + 30


FILL = """
    CREATE FUNCTION fill() RETURNS trigger AS $$ BEGIN
        RAISE 'could not extend file: No space left on device' USING ERRCODE = 'disk_full';
    END $$ LANGUAGE plpgsql;
    CREATE TRIGGER fill BEFORE INSERT ON object_state EXECUTE FUNCTION fill();
"""


def test_a_full_disk_of_postgres_costs_no_task_and_the_log_says_it(
    on_postgres, postgres_uri, tmp_path, caplog
):
    go = tmp_path / "go"
    before = on_postgres.root.get("count", 0)
    on_postgres.enqueue(Wait(nowutc(), str(go)))
    with running(on_postgres.database):
        wait_for(lambda: (tmp_path / "go.begun").exists())
        query(postgres_uri, FILL)
        go.touch()
        wait_for(lambda: "the database cannot write: could not extend file" in caplog.text)
        query(postgres_uri, "DROP TRIGGER fill ON object_state; DROP FUNCTION fill")
        on_postgres.until(lambda: on_postgres.root.get("count", 0) == before + 1)


def test_on_postgres_writers_on_one_spool_never_conflict(on_postgres):
    failed = []
    before = on_postgres.counts().get("spooled", 0)

    def enqueue_some():
        manager = transaction.TransactionManager()
        connection = on_postgres.database.open(manager)
        try:
            for _ in range(10):
                Client(connection).enqueue(Noop(nowutc()))
                manager.commit()
        except Exception as error:  # noqa: BLE001 (any of them is a failure)
            manager.abort()
            failed.append(error)
        finally:
            connection.close()

    writers = [threading.Thread(target=enqueue_some) for _ in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()

    assert failed == []
    assert on_postgres.counts()["spooled"] == before + 40


def test_on_postgres_the_past_can_be_looked_into(on_postgres):
    account = on_postgres.root["account"] = Account()
    on_postgres.commit()
    task = on_postgres.enqueue(Deposit(account, 5))
    with running(on_postgres.database):
        on_postgres.until(lambda: task.getStatus() == TASK_STATUS_FINISHED)
    assert account.balance == 105

    commit, signature = next(task_commits(on_postgres.connection, task.getId()))
    assert commit.changed_by(signature) == {u64(account._p_oid)}
    assert replay(on_postgres.database, task.getId(), task.getAttempts()[0]).is_alike
    (change,) = try_out(on_postgres.database, task.getId()).changes
    assert change.differences == [("balance", "105", "110")]
    undo(on_postgres.connection, task)
    on_postgres.commit()
    assert account.balance == 100


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_in_a_dask_cluster_each_task_has_its_effect_once(view, database, tmp_path):
    view.enqueue(*(Count(nowutc()) for _ in range(30)), DieOnce(nowutc(), str(tmp_path / "died")))
    with running(database, multitask_mode="dask", task_max_tries=3):
        view.until(lambda: view.counts().get("finished") == 31)
    assert view.root["count"] == 31


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_stopped_worker_of_a_dask_cluster_is_shown_and_its_task_is_run_by_another(
    view, database, tmp_path
):
    pids = tmp_path / "pids"
    task = view.enqueue(Sleep(nowutc(), 2, str(pids)))
    with running(database, multitask_mode="dask", worker_silence=1):
        view.until(lambda: pids.exists() and pids.read_text())
        os.kill(int(pids.read_text()), signal.SIGSTOP)
        view.until(lambda: "stopped" in [each.state for each in office(view).workers])
        view.until_counts(finished=1)
    assert len(pids.read_text().split()) == 2
    assert [attempt.state for attempt in task.getAttempts()] == [TASK_STATUS_FINISHED]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_cancelled_task_of_a_dask_cluster_ends_with_its_processes(view, database, tmp_path):
    file = tmp_path / "child"
    task = view.enqueue(WithChild(nowutc(), str(file), "system"))
    with running(database, multitask_mode="dask", workers=1):
        view.until(file.exists)
        child = psutil.Process(int(file.read_text()))
        view.client.cancelTask(task)
        view.enqueue(Noop(nowutc()))
        view.until_counts(failed=1, finished=1)
        wait_for(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)
    assert task.getStatus() == TASK_STATUS_ABORTED


def office(view):
    return roster_of(view.connection)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_in_a_dask_cluster_runs_are_watched_limited_and_cancelled(view, database, tmp_path):
    file = tmp_path / "said"
    told = Report(nowutc(), str(tmp_path / "go"))
    endless, limited = Endless(nowutc(), str(file)), Limited(nowutc(), str(tmp_path / "other"))
    with running(database, multitask_mode="dask"):
        view.enqueue(told)
        view.until(lambda: told.getProgress() == (0.5, "half"))
        (tmp_path / "go").touch()
        view.until_counts(finished=1)

        view.enqueue(endless)
        view.until(file.exists)
        view.client.cancelTask(endless)
        view.enqueue(limited)
        view.until_counts(finished=1, failed=2)
    assert endless.getStatus() == TASK_STATUS_ABORTED
    assert limited.getStatus() == TASK_STATUS_TERMINATED
    assert view.root.get("count") is None


def lag(view):
    """Return how many bytes of the server's log are not on its disk."""
    command = "SELECT pg_current_wal_insert_lsn() - pg_current_wal_flush_lsn()"
    return query(view.database.uri, command)[0][0]


def commit_lazily_in(view, number):
    commit_lazily(view.manager.begin())
    view.root["number"] = number
    view.commit()
    return lag(view)


def test_a_lazy_commit_is_not_waited_for_until_somebody_asks_for_it(on_postgres):
    on_postgres.root["number"] = 0
    on_postgres.commit()
    # The server writes by itself, now and then.
    assert any(commit_lazily_in(on_postgres, number) for number in range(1, 50))
    for number in range(3):
        reach_disk(on_postgres.connection)
        assert lag(on_postgres) == 0
        on_postgres.root["number"] = number
        on_postgres.commit()
