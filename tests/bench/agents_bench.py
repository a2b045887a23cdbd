"""Benchmarks of agents: real records of the catalogue to a real target."""

from __future__ import annotations

import os
import resource
import time

import psycopg2
from psycopg2.extras import execute_values

from export.model.catalogue import catalogue
from export.model.conference import Conference
from export.model.contribution import Contribution
from livesync import SyncManager, components
from livesync.agents.postgres import PostgresAgent
from scheduler.store import using
from tests import postgres
from tests.bench.ground import fresh, say, timed

RECORDS = int(os.environ.get("BENCH_RECORDS", "100000"))
TALKS = 99  # so that an event comes to 100 records


def bench_tables():
    """Send the events and contributions of a catalogue to PostgreSQL, and send them once more."""
    with fresh() as view, postgres.server() as server:
        fill(view)
        raw = RECORDS / timed(put_rows, server.get_uri())[0]
        agent = PostgresAgent("pg", "PostgreSQL", "", 60, dsn=server.get_uri())
        manager = SyncManager.getDBInstance(view.connection)
        manager.registerNewAgent(agent)
        view.commit()
        manager.sequence()
        for name in ("records to PostgreSQL", "the same records once more"):
            view.connection.cacheMinimize()
            core = time.process_time()
            seconds, result = timed(run, agent, view)
            core = time.process_time() - core
            assert result, agent.last_failure
            say(name, RECORDS / seconds, "/s", raw)
            say("  of a core here, for each", core / RECORDS * 1e6, "us")
        say("  memory at the most", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, "MB")


def fill(view):
    components.connect()
    try:
        with using(view.connection):
            found = catalogue(view.connection)
            for number in range(RECORDS // (TALKS + 1)):
                event = Conference(str(number), f"Event number {number}", "What it is about " * 5)
                for talk in range(TALKS):
                    event.addContribution(Contribution(str(talk), f"Talk {talk}", "Abstract " * 20))
                found.add_event(event)
                view.commit()
                view.connection.cacheGC()
    finally:
        components.disconnect()


def put_rows(uri):
    """Put as many rows as the agent does, of one document, with nothing else around it."""
    document = '{"id": "1", "title": "Talk", "description": "' + "Abstract " * 20 + '"}'
    connection = psycopg2.connect(uri)
    with connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE raw (id text PRIMARY KEY, document jsonb)")
    for start in range(0, RECORDS, 1000):
        rows = [(str(number), document) for number in range(start, start + 1000)]
        with connection, connection.cursor() as cursor:
            execute_values(cursor, "INSERT INTO raw VALUES %s", rows, page_size=1000)
    connection.close()


def run(agent, view):
    with using(view.connection):
        return agent.run(None, dbi=view.connection)


BENCHMARKS = {"tables": bench_tables}
