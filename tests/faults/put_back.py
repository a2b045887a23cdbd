"""A scheduler whose database is put back to a backup, and what the tests of that have in common."""

from __future__ import annotations

from scheduler import nowutc
from tests.scheduler.harness import Running
from tests.scheduler.sample_tasks import Count
from tests.waiting import DEADLINE, wait_for


def put(connection, **values):
    connection.root().update(values)


def read_all(connection):
    return {key: getattr(value, "data", value) for key, value in connection.root().items()}


def run_and_keep(view, keep):
    """Run one task, *keep* a backup and run five more; return the scheduler, which goes on."""
    run = Running(view.database, sleep_interval=0.1, standby=True)
    view.enqueue(Count(nowutc()))
    view.until_counts(finished=1)
    keep()
    view.refresh()
    view.enqueue(*(Count(nowutc()) for _ in range(5)))
    view.until_counts(finished=6)
    view.manager.abort()
    return run


def wait_until_put_back(view, caplog):
    """Wait until the scheduler has noticed the backup in the place of its database."""
    wait_for(lambda: "standing by: the database was put back" in caplog.text, DEADLINE)
    view.manager.abort()


def check_that_it_goes_on(view, run):
    """Check that the scheduler of *run* goes on with what the backup holds, and end it."""
    view.refresh()
    assert view.root["count"] == 1
    view.enqueue(Count(nowutc()))
    view.until(lambda: run.error or view.counts() == {"finished": 2}, DEADLINE)
    assert view.root["count"] == 2
    run.scheduler.shutdown()
    assert (run.join(), run.error) == (0, None)
