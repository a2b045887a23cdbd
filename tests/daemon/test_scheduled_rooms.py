"""A running daemon starts and stops what is scheduled over HTTP."""

from __future__ import annotations

import time

import httpx
import pytest

from tests.waiting import wait_for

SCHEDULE = "/api/v3/schedule"
TOKEN = ("token", "create", "--user", "7", "--name", "s", "--scope", "full:everything")
ROOM = ("room", "create", "Lab", "39", "--building", "1", "--floor", "1", "--number", "39")


@pytest.fixture
def api(start_demo, command):
    """A client with a token, of a daemon with one room."""
    url = start_demo().wait_until_up()

    def manage(*words):
        done = command(*words, module="export.cli.main")
        assert done.returncode == 0, done.stderr
        return done.stdout

    manage("location", "create", "Lab")
    manage(*ROOM)
    token = manage(*TOKEN).split()[1]
    with httpx.Client(base_url=url, params={"access_token": token}, timeout=200) as api:
        yield api


def create(api, duration):
    start = int(time.time()) + 10
    body = {"name": "Lecture", "room": 39, "start_at": start, "duration": duration}
    (number,) = api.post(SCHEDULE, json=body).json()
    return f"{SCHEDULE}/{number}"


def test_a_schedule_made_over_http_is_started_and_stopped(api):
    address = create(api, 8)

    def has_status(wanted):
        return api.get(address).json()["data"]["status"] == wanted

    assert has_status("pending")
    wait_for(lambda: has_status("started"), what="the start")
    wait_for(lambda: has_status("pending"), what="the stop")

    address = create(api, 600)
    wait_for(lambda: has_status("started"), what="the second start")
    assert api.post(f"{address}/stop").json() == {"data": None}
    assert has_status("pending")
    assert api.post(f"{address}/delete").json() == {}
