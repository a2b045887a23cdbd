"""The scheduler that works on the database while the benchmark of the export asks.

`python -m tests.bench.export_daemon URI` fills the catalogue, says so, and runs tasks until it is
terminated: one more every hundredth of a second.
"""

from __future__ import annotations

import logging
import sys
import threading
import time

from scheduler import Client, Scheduler, nowutc
from scheduler.store import open_database, transact
from tests.bench.export_bench import plant
from tests.scheduler.sample_tasks import Noop

PAUSE = 0.01


def main(uri):
    logging.disable(logging.ERROR)
    database = open_database(uri)
    transact(database, plant)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    threading.Thread(target=feed, args=(database,), daemon=True).start()
    Scheduler(database=database).run()


def feed(database):
    while True:
        transact(database, lambda connection: Client(connection).enqueue(Noop(nowutc())))
        time.sleep(PAUSE)


if __name__ == "__main__":
    main(*sys.argv[1:])
