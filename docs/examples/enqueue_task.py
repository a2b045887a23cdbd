"""Enqueue a task; it is run at once, in a worker of the daemon."""

import transaction

from daemon.demo.sample import DescribeEvent
from scheduler import Client, nowutc
from scheduler.store import connect

with connect() as connection:
    task = DescribeEvent(nowutc())
    Client(connection).enqueue(task)
    transaction.commit()
    print(f"enqueued task {task.getId()}")
