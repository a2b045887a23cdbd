"""The pytest plugin: a fresh database, a clock to set, and due tasks run on call.

Installed with the package; see docs/testing.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
import transaction
from ZODB import DB
from ZODB.Connection import Connection
from ZODB.utils import p64

from scheduler.client import Client
from scheduler.clock import TimeSource, aware, timed_by
from scheduler.dispatch.tick import Tick
from scheduler.inbox import spool
from scheduler.inbox.claims import Claim
from scheduler.runtime.context import AttemptReport
from scheduler.settings import Settings
from scheduler.shelves.module import SchedulerModule
from scheduler.store import open_database, transact, using
from scheduler.tasks.base import BaseTask
from scheduler.worker.claim_queue import ClaimQueue
from scheduler.worker.outcome import Outcome
from scheduler.worker.runner import Runner

DRAIN_LIMIT = 200
CLAIM_LIMIT = 200
# How many rounds of tasks that enqueue further due tasks are run before RuntimeError.
ROUNDS = 1000


class StandingClock(TimeSource):
    """A clock that stands still until it is set, put forward, or slept on."""

    def __init__(self) -> None:
        self._now = TimeSource().getCurrentTime()

    @property
    def now(self) -> datetime:
        """The current time, an aware datetime; it may be set, also back."""
        return self._now

    @now.setter
    def now(self, date: datetime) -> None:
        self._now = aware(date, "now")

    def advance(self, seconds: float) -> None:
        """Put the clock forward by so many *seconds*."""
        self._now += timedelta(seconds=seconds)

    def getCurrentTime(self) -> datetime:
        """Return the current time."""
        return self._now

    def sleep(self, seconds: float) -> None:
        """Put the clock forward by so many *seconds*, at once."""
        self.advance(seconds)


class Relay:
    """A database with a scheduler that is run by hand, in the thread of the test.

    `connection` is the current one, and belongs to the thread's transaction manager:
    `transaction.commit()` commits what the test has changed there.
    """

    def __init__(self, database: DB, connection: Connection, clock: StandingClock) -> None:
        self.database = database
        self.connection = connection
        self.clock = clock
        self.client = Client(connection)

    def enqueue(self, *tasks: BaseTask) -> None:
        """Enqueue *tasks* and commit."""
        for task in tasks:
            self.client.enqueue(task)
        transaction.commit()

    def run_due(self) -> list[BaseTask]:
        """Commit, take up all tasks that are due, and those that they enqueue; return them.

        They go the way they go with a daemon: out of the spool into the queue, claimed, run
        in a transaction, put on a shelf. Nothing waits: a task that is to be tried again is
        once the clock has been put forward. Limits of time are not enforced. RuntimeError
        where ever more tasks are due.
        """
        transaction.commit()
        runner = Runner(self.database, Settings().task_max_tries, "test", _ignored)
        ran: list[int] = []
        try:
            for _ in range(ROUNDS):
                claims = transact(self.database, self._claim_due)
                if not claims:
                    break
                outcomes = _run(runner, claims)
                transact(self.database, partial(_take_back, outcomes))
                ran.extend(outcome.claim.tid for outcome in outcomes)
            else:
                raise RuntimeError(
                    "there is no end of tasks that are due: does one enqueue itself?"
                )
        finally:
            runner.close()
        transaction.begin()
        return [self.connection.get(p64(tid)) for tid in ran]

    def _claim_due(self, connection: Connection) -> list[Claim]:
        module = SchedulerModule.getDBInstance(connection)
        tick = Tick(module)
        tick.instructions.follow_undone()
        while instructions := module.getSpool().take(DRAIN_LIMIT):
            for instruction in instructions:
                if instruction.op != spool.SHUTDOWN:
                    tick.instructions.perform(instruction)
        return tick.claiming.claim(self.clock.now.timestamp(), CLAIM_LIMIT, {})


def _ignored(report: AttemptReport) -> None:
    """Take up word of a run that goes on: by when anybody could look, it will have ended."""


def _take_back(outcomes: list[Outcome], connection: Connection) -> None:
    tick = Tick(SchedulerModule.getDBInstance(connection))
    for outcome in outcomes:
        tick.settlement.settle(outcome)


def _run(runner: Runner, claims: list[Claim]) -> list[Outcome]:
    line = ClaimQueue()
    line.extend(claims)
    outcomes: list[Outcome] = []
    while (claim := line.take()) is not None:
        outcomes.extend(runner.run(claim, line))
    return outcomes


@pytest.fixture
def relay_database(tmp_path: Path) -> Iterator[DB]:
    """Give a fresh database, on a file of its own."""
    database = open_database(f"file://{tmp_path}/relay.fs")
    yield database
    database.close()


@pytest.fixture
def relay_clock() -> Iterator[StandingClock]:
    """Give the clock of scheduler, tasks and livesync, which stands still until it is moved."""
    with timed_by(StandingClock()) as clock:
        yield clock


@pytest.fixture
def relay(relay_database: DB, relay_clock: StandingClock) -> Iterator[Relay]:
    """Give a database with a clock that stands still, a client, and `run_due()`."""
    transaction.abort()
    connection = relay_database.open()
    with using(connection):
        yield Relay(relay_database, connection, relay_clock)
    transaction.abort()
    connection.close()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the configuration option that names the categories of a project's tests."""
    parser.addini(
        "relay_categories",
        "categories of tests, one a line, as 'name: folder'; -m selects them by name",
        type="linelist",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Make each category known as a marker."""
    config.addinivalue_line("markers", "relay: uses a database of the relay plugin")
    for name, folder in _categories(config).items():
        config.addinivalue_line("markers", f"{name}: tests in {folder}")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark each test with its category."""
    folders = {name: config.rootpath / folder for name, folder in _categories(config).items()}
    for item in items:
        if "relay_database" in getattr(item, "fixturenames", ()):
            item.add_marker("relay")
        for name, folder in folders.items():
            if item.path.is_relative_to(folder):
                item.add_marker(name)


def _categories(config: pytest.Config) -> dict[str, str]:
    categories = {}
    for line in config.getini("relay_categories"):
        name, colon, folder = (part.strip() for part in line.partition(":"))
        if not (name.isidentifier() and colon and folder):
            raise pytest.UsageError(f"relay_categories has {line!r}; it must be 'name: folder'")
        categories[name] = folder
    return categories
