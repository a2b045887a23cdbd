"""Rows of PostgreSQL take each change once, wherever the process that delivers is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from contextlib import contextmanager
from functools import partial

import pytest

from livesync import ActionWrapper, SyncManager
from livesync.agents.postgres import PostgresAgent
from scheduler.store import open_database, transact
from tests.livesync.stand_ins import Category, Conference
from tests.postgres import query as query_of

BATCHES, BATCH = 3, 4
DELIVER = (
    "import sys; from livesync.delivery.deliverer import Deliverer\n"
    "from scheduler.store import open_database\n"
    "database = open_database(sys.argv[1])\n"
    "print(Deliverer(database, 'pg').deliver(None)); database.close()"
)
EFFECTS = """
    CREATE TABLE livesync_records (id text PRIMARY KEY, key text NOT NULL, document jsonb NOT NULL);
    CREATE TABLE effects (what text, id text, key text);
    CREATE FUNCTION note() RETURNS trigger AS $$ BEGIN
        INSERT INTO effects VALUES (TG_OP, coalesce(NEW.id, OLD.id), NEW.key); RETURN NULL;
    END $$ LANGUAGE plpgsql;
    CREATE TRIGGER note AFTER INSERT OR UPDATE OR DELETE ON livesync_records
        FOR EACH ROW EXECUTE FUNCTION note();
"""


class MortalAgent(PostgresAgent):
    """It kills its process before or after the server commits a certain batch."""

    @contextmanager
    def _sender(self):
        place, _, number = os.environ.get("KILL", "never -1").partition(" ")
        left = [int(number)]

        def die(now):
            if left[0] == 0 and place == now:
                os.kill(os.getpid(), signal.SIGKILL)

        with super()._sender() as send:

            def send_and_die(items):
                die("before")
                send(items)
                die("after")
                left[0] -= 1

            yield send_and_die


@pytest.fixture
def query(postgres_uri):
    query = partial(query_of, postgres_uri)
    query(EFFECTS)
    yield query
    query("DROP TABLE livesync_records, effects, livesync_records_position; DROP FUNCTION note")


def plant(connection, dsn):
    manager = SyncManager.getDBInstance(connection)
    manager.registerNewAgent(MortalAgent("pg", "PG", "", 60, dsn=dsn, batch_size=BATCH))
    category = Category("c")
    for number in range(BATCHES * BATCH):
        event = Conference(f"{number:02}", category, "New")
        connection.root()[f"event-{number}"] = event
        manager.add(100, ActionWrapper(100, event, ["created"], event.getId()))


def change(connection):
    manager = SyncManager.getDBInstance(connection)
    for number in range(0, BATCHES * BATCH, 2):
        event = connection.root()[f"event-{number}"]
        event._title = "Changed"
        action = "data_changed" if number % 4 else "deleted"
        manager.add(200, ActionWrapper(200, event, [action], event.getId()))


@pytest.mark.parametrize("place", ["before", "after"])
@pytest.mark.parametrize("number", range(2))
def test_after_a_kill_every_change_has_taken_effect_once(
    tmp_path, postgres_uri, query, place, number
):
    uri = f"file://{tmp_path}/data.fs"

    def write(work, *arguments):
        database = open_database(uri)
        transact(database, lambda own: work(own, *arguments))
        database.close()

    def deliver(kill="never -1"):
        return subprocess.run(
            [sys.executable, "-c", DELIVER, uri],
            env={**os.environ, "KILL": kill, "PYTHONPATH": os.getcwd()},
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )

    write(plant, postgres_uri)
    assert deliver(f"{place} {number}").returncode == -signal.SIGKILL
    write(change)
    again = deliver()
    assert again.stdout.startswith("up to date"), again.stderr

    rows = dict(query("SELECT id, document->>'title' FROM livesync_records"))
    numbers = range(BATCHES * BATCH)
    assert rows == {f"{n:02}": "Changed" if n % 2 == 0 else "New" for n in numbers if n % 4}
    assert max(Counter(query("SELECT what, id, key FROM effects")).values()) == 1
