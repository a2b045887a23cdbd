"""Eight clients book the same room at the same time, over HTTP, on every kind of database."""

from __future__ import annotations

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from daemon.config import Web
from daemon.web.server import WebServer
from export.app import make_app
from export.rooms.schedule import schedules
from scheduler import Client
from scheduler.store import open_database, transact
from tests.export.planting_rooms import key_of, plant_rooms
from tests.export.resources.schedule_api import BASE, token_of
from tests.export.resources.schedule_api import DOCUMENTED as SCHEDULE
from tests.export.resources.test_booking import ADDRESS, DOCUMENTED, plant_john
from tests.ports import free_port

CLIENTS = 8


@pytest.fixture(scope="module")
def embedded(tmp_path_factory):
    return f"file://{tmp_path_factory.mktemp('booking')}/data.fs"


@pytest.fixture(scope="module")
def zeo(tmp_path_factory):
    folder = tmp_path_factory.mktemp("booking")
    port = free_port()
    command = [sys.executable, "-m", "ZEO.runzeo", "-f", f"{folder}/zeo.fs"]
    with subprocess.Popen([*command, "-a", f"127.0.0.1:{port}"], stderr=subprocess.DEVNULL) as one:
        yield f"zeo://127.0.0.1:{port}?wait_timeout=20"
        one.terminate()


@pytest.fixture(params=["embedded", "zeo", "postgres_uri"], scope="module")
def database(request):
    database = open_database(request.getfixturevalue(request.param))
    transact(database, plant_rooms)
    transact(database, plant_john)
    yield database
    database.close()


@pytest.fixture(scope="module")
def server(database):
    """The address of a server with a thread for each client."""
    app = make_app(database, {"api_mode": "KEY"})
    serving = WebServer(app, Web(port=0, threads=CLIENTS))
    yield serving.url
    serving.close()
    app.close()


def together(work):
    """Do *work* with the numbers of all clients, at the same moment; return the results."""
    barrier = threading.Barrier(CLIENTS)

    def at_once(number):
        barrier.wait(30)
        return work(number)

    with ThreadPoolExecutor(CLIENTS) as clients:
        return list(clients.map(at_once, range(CLIENTS)))


def test_of_eight_clients_that_book_the_same_slot_exactly_one_gets_it(database, server):
    key = key_of(database, "ann")

    for day in ("2033-01-01", "2033-01-02", "2033-01-03"):
        times = {"from": f"{day}T10:00", "to": f"{day}T10:45"}
        form = {"ak": key, **DOCUMENTED, **times}
        codes = together(
            lambda _, form=form: httpx.post(server + ADDRESS, data=form, timeout=200).status_code
        )
        assert sorted(codes) == [200] + [409] * (CLIENTS - 1)


def test_eight_clients_that_book_different_slots_all_get_them(database, server):
    key = key_of(database, "ann")

    def book(number):
        times = {"from": f"2033-02-01T1{number}:00", "to": f"2033-02-01T1{number}:45"}
        answer = httpx.post(server + ADDRESS, data={"ak": key, **DOCUMENTED, **times}, timeout=200)
        assert answer.status_code == 200, answer.text
        return answer.json()["results"]["reservationID"]

    assert len(set(together(book))) == CLIENTS


def test_of_eight_clients_that_schedule_the_same_slot_exactly_one_gets_it(database, server):
    token = token_of(database, "ann")
    body = {**SCHEDULE, "room": 120, "recurrence": {"type": "weekly"}}

    def create(_):
        answer = httpx.post(f"{server}{BASE}?access_token={token}", json=body, timeout=200)
        return answer.status_code

    assert sorted(together(create)) == [200] + [409] * (CLIENTS - 1)

    def kept(connection):
        return len(list(schedules(connection))), Client(connection).getStatus()["spooled"]

    assert transact(database, kept) == (1, 2)
