"""Everything there is goes to a target while others write, and its sender is killed often."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from contextlib import ExitStack

import pytest

from export.model.catalogue import catalogue
from export.model.conference import Conference
from export.model.contribution import Contribution
from livesync import SyncManager
from livesync.agents.postgres import PostgresAgent
from livesync.resync.verification import Verification
from scheduler.store import open_database, transact
from tests.postgres import query

KILLS, EVENTS = (20, 1500) if os.environ.get("SOAK") else (3, 150)
WRITERS = 2
DEADLINE = 300

WRITE = """
import random, sys
from export.model import listeners
from export.model.catalogue import catalogue
from export.model.conference import Conference
from livesync.components import ObjectChangeListener
from scheduler.store import open_database, transact

listeners.subscribe(ObjectChangeListener())
database, name = open_database(sys.argv[1]), sys.argv[2]
count = 0

def write(connection):
    found = catalogue(connection)
    events = list(found.events)
    event = found.event(random.choice(events))
    event.setTitle(f"{name} {count}")
    if count % 5 == 0:
        found.add_event(Conference(f"{name}{count}", "added"))
    if count % 7 == 0:
        found.remove_event(found.event(random.choice(events)))

while True:
    count += 1
    transact(database, write, attempts=100)
"""


@pytest.fixture
def database(tmp_path, postgres_uri):
    database = open_database(f"file://{tmp_path}/data.fs")

    def plant(connection):
        found = catalogue(connection)
        for number in range(EVENTS):
            event = Conference(f"e{number:05}", f"event {number}")
            found.add_event(event)
            event.addContribution(Contribution("1", "a talk"))
        agent = PostgresAgent("pg", "", "", 1, dsn=postgres_uri, batch_size=20)
        SyncManager.getDBInstance(connection).registerNewAgent(agent)

    transact(database, plant)
    yield database
    database.close()


def command(database, *words):
    arguments = [
        sys.executable,
        "-m",
        "livesync.cli.main",
        "--database",
        database.uri,
        "agent",
        "pg",
    ]
    return subprocess.Popen([*arguments, *words], stdout=subprocess.DEVNULL)


def rows(dsn):
    return query(dsn, "SELECT id, document ->> 'title' FROM livesync_records")


def source(database):
    def read(connection):
        for event_id, event in catalogue(connection).events.items():
            yield event_id, event.getTitle()
            for talk in event.getContributionList():
                yield talk.getUniqueId(), talk.getTitle()

    return transact(database, lambda connection: list(read(connection)))


@pytest.mark.soak
@pytest.mark.timeout(2 * DEADLINE)
def test_the_target_equals_the_source_however_often_the_sender_was_killed(database, postgres_uri):
    with ExitStack() as stack:
        for name in range(WRITERS):
            writer = subprocess.Popen([sys.executable, "-c", WRITE, database.uri, f"w{name}"])
            stack.enter_context(writer)
            stack.callback(writer.kill)
        for _ in range(KILLS):
            with command(database, "export", "--yes") as sender:
                time.sleep(random.uniform(0.8, 1.6))
                sender.send_signal(signal.SIGKILL)
        with command(database, "export", "--yes") as sender:
            assert sender.wait(DEADLINE) == 0
        assert Verification(database, "pg").run().differences == []  # while they write
    with command(database, "run") as deliverer:
        assert deliverer.wait(DEADLINE) == 0

    found = rows(postgres_uri)
    assert len(found) == len(dict(found))
    assert sorted(found) == sorted(source(database))
