"""Benchmark of the export: a request next to the same server's answer of a constant."""

from __future__ import annotations

import http.client
import logging
import os
import threading
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import waitress.server
import ZODB
from waitress import wasyncore

from export.app import make_app
from export.model.catalogue import catalogue
from export.model.conference import Conference
from export.model.contribution import Contribution
from export.model.person import ContributionParticipation
from scheduler.store import transact
from tests.bench.ground import say, timed

REQUESTS = int(os.environ.get("BENCH_REQUESTS", "300"))
TALKS = 200
START = datetime(2026, 3, 1, 9, tzinfo=UTC)
ANSWERS = {
    "export, event": "/export/event/1.json",
    f"export, event and {TALKS} contributions": "/export/event/2.json?detail=contributions",
}


def bench_export():
    """Ask for an event, for one with all its contributions, and for a constant."""
    database = ZODB.DB(None)
    transact(database, plant)
    with serving(make_app(database)) as port:
        constant = rate(port, "/constant")
        say("constant answer of the same server", constant, "/s")
        for name, address in ANSWERS.items():
            measured = rate(port, address)
            say(name, measured, "/s")
            say("  of the rate of the constant", 100 * measured / constant, "%")
            say("  time for one", 1000 / measured, "ms")
    database.close()


def plant(connection):
    """Make one event without contributions, and one with many."""
    for number in (1, 2):
        event = Conference(str(number), f"Conference {number}", "<p>About everything</p>")
        event.setDates(START, START + timedelta(days=5))
        catalogue(connection).add_event(event)
    for number in range(TALKS):
        talk = Contribution(str(number), f"Talk {number}", "What is said here. " * 20)
        talk.duration = timedelta(minutes=20)
        talk.speakers = (
            ContributionParticipation(str(number), "Ada", "Byron", "London", "ada@example.org"),
        )
        start = START + timedelta(minutes=20 * number)
        talk.setDates(start, start + talk.duration)
        event.addContribution(talk)


def rate(port, address):
    """Return the requests per second that one client gets answered."""
    client = http.client.HTTPConnection("127.0.0.1", port)
    ask(client, address, 10)
    seconds, _ = timed(ask, client, address, REQUESTS)
    client.close()
    return REQUESTS / seconds


def ask(client, address, times):
    for _ in range(times):
        client.request("GET", address)
        answer = client.getresponse()
        answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{address} is answered with {answer.status}")


@contextmanager
def serving(export):
    """Serve *export*, and a constant at /constant; give the port."""

    def application(environ, start):
        if environ["PATH_INFO"] != "/constant":
            return export(environ, start)
        start("200 OK", [("Content-Type", "application/json"), ("Content-Length", "2")])
        return [b"{}"]

    logging.getLogger("waitress").setLevel(logging.ERROR)
    sockets = {}
    server = waitress.server.create_server(application, map=sockets, host="127.0.0.1", port=0)
    ended = threading.Event()

    def serve():
        while not ended.is_set():
            wasyncore.loop(timeout=1, map=sockets, use_poll=True, count=1)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield server.effective_port
    finally:
        ended.set()
        server.pull_trigger()
        thread.join()
        server.task_dispatcher.shutdown()
        wasyncore.close_all(sockets)


BENCHMARKS = {"export": bench_export}
