"""A ZEO server of its own: schedulers and clients join it from their processes."""

from __future__ import annotations

import pytest

from scheduler import nowutc
from scheduler.store import open_database
from tests.faults.processes import serving
from tests.scheduler.function_story import tell_the_story
from tests.scheduler.harness import Running, View, output_of, running, viewing
from tests.scheduler.sample_tasks import Count
from tests.waiting import wait_for


@pytest.fixture
def uri(free_port):
    return f"zeo://127.0.0.1:{free_port}?wait_timeout=10"


@pytest.fixture
def server(tmp_path, free_port):
    with serving(tmp_path / "zeo.fs", free_port) as process:
        yield process


@pytest.fixture
def view(server, uri):
    with viewing(open_database(uri)) as view:
        yield view


ENQUEUE = """
import sys, transaction
from scheduler import Client, nowutc
from scheduler.store import connect
from tests.scheduler.sample_tasks import Count
with connect(sys.argv[1]):
    for _ in range(20):
        Client().enqueue(Count(nowutc()))
    transaction.commit()
"""


@pytest.mark.parametrize("mode", ["threads", "processes"])
def test_tasks_of_another_process_are_run_over_zeo(view, uri, mode):
    with running(view.database, multitask_mode=mode):
        output_of(ENQUEUE, uri)
        view.until_counts(finished=20)
    assert view.root["count"] == 20


def test_over_zeo_functions_have_schedules_limits_and_bulk_orders(view):
    tell_the_story(view, "processes")


def test_a_scheduler_over_zeo_is_woken_by_a_commit(view, uri):
    with running(view.database, sleep_interval=600):
        view.until(lambda: view.client.getStatus()["state"])
        output_of(ENQUEUE, uri)
        view.until(lambda: view.client.getStatus()["finished"] == 20)


def test_a_server_that_goes_away_for_a_moment_costs_nothing(tmp_path, free_port, uri):
    with serving(tmp_path / "zeo.fs", free_port):
        database = open_database(uri)
        view = View(database)
        view.enqueue(*(Count(nowutc()) for _ in range(20)))
        run = Running(database, sleep_interval=0.1)
        view.until_counts(finished=20)
    wait_for(lambda: not database.storage.is_connected())
    with serving(tmp_path / "zeo.fs", free_port):
        output_of(ENQUEUE, uri)
        wait_for(view.database.storage.is_connected)
        view.until(lambda: run.error or view.counts() == {"finished": 40})
        run.scheduler.shutdown()
        assert (run.join(), run.error) == (0, None)
        assert view.root["count"] == 40
        view.close()
        database.close()
