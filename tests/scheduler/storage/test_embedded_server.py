"""A server in the scheduler's process: worker processes reach a database that has no address."""

from __future__ import annotations

from contextlib import closing

import ZODB
from ZODB.MappingStorage import MappingStorage

from scheduler import nowutc
from tests.scheduler.harness import View, running
from tests.scheduler.sample_tasks import Count


def test_worker_processes_run_the_tasks_of_a_database_in_memory():
    with closing(ZODB.DB(MappingStorage())) as database:
        view = View(database)
        with running(database, multitask_mode="processes", workers=1):
            view.enqueue(*(Count(nowutc()) for _ in range(5)))
            view.until_counts(finished=5)
        view.close()
