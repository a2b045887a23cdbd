"""A scheduler in a thread, and waiting for what it does."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from contextlib import closing, contextmanager

from transaction import TransactionManager

from scheduler import Client, Scheduler
from tests.waiting import DEADLINE


class View:
    """One connection's view of a database, moved on to the newest state by `refresh`."""

    def __init__(self, database, manager=None):
        self.database = database
        self.manager = manager or TransactionManager()
        self.connection = database.open(transaction_manager=self.manager)
        self.client = Client(self.connection)

    def close(self):
        self.manager.abort()
        self.connection.close()

    @property
    def root(self):
        return self.connection.root()

    def refresh(self):
        self.manager.begin()

    def commit(self):
        self.manager.commit()

    def enqueue(self, *tasks):
        """Enqueue *tasks* in one commit; return the first one."""
        for task in tasks:
            self.client.enqueue(task)
        self.commit()
        return tasks[0]

    def status(self):
        self.refresh()
        return self.client.getStatus()

    def counts(self):
        """Return the numbers of the status that are not zero."""
        numbers = {key: value for key, value in self.status().items() if type(value) is int}
        return {key: value for key, value in numbers.items() if value and key != "pid"}

    def until(self, condition, seconds=DEADLINE, every=0.005):
        """Wait until *condition*, a function, is true of what is committed; return its value.

        It is looked at *every* so many seconds.
        """
        deadline = time.monotonic() + seconds
        while True:
            self.refresh()
            value = condition()
            if value:
                return value
            assert time.monotonic() < deadline, f"waited in vain: {self.client.getStatus()}"
            time.sleep(every)

    def until_counts(self, seconds=DEADLINE, **expected):
        self.until(lambda: self.counts() == expected, seconds)


@contextmanager
def viewing(database):
    """Give a view of *database*, and close both behind the block."""
    with closing(database), closing(View(database)) as view:
        yield view


class Running:
    """A scheduler that runs in a thread of its own."""

    def __init__(self, database, **config):
        config = {"sleep_interval": 0.5, "task_max_tries": 1, **config}
        self.scheduler = Scheduler(database=database, **config)
        self.result = None
        self.error = None
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self):
        try:
            self.result = self.scheduler.run()
        except Exception as error:  # noqa: BLE001 (what it was is for the test to say)
            self.error = error

    def is_alive(self):
        return self._thread.is_alive()

    def join(self, seconds=DEADLINE):
        self._thread.join(seconds)
        assert not self._thread.is_alive(), "the scheduler does not stop"
        return self.result


@contextmanager
def running(database, **config):
    """Run a scheduler of *database* inside the block."""
    run = Running(database, **config)
    try:
        yield run
    finally:
        run.scheduler.shutdown("the test is over")
        run.join()


def python(code, *arguments, **options):
    """Start a Python process that runs *code*."""
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)], text=True, **options
    )


def output_of(code, *arguments):
    """Run *code* in a Python process; return what it prints."""
    with python(code, *arguments, stdout=subprocess.PIPE) as process:
        output, _ = process.communicate(timeout=DEADLINE)
    assert process.returncode == 0
    return output.strip()


def serial(obj):
    """Return the number of the transaction that changed *obj* last."""
    obj._p_activate()
    return obj._p_serial
