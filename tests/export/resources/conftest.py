"""A client of the schedule API, of a scheduler that is run by hand."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from werkzeug.test import Client

from export.app import make_app
from scheduler.store import transact
from tests.export.planting_rooms import key_of, plant_rooms
from tests.export.resources.schedule_api import (
    DAY,
    START,
    Api,
    token_of,
)


@pytest.fixture
def at_work(relay):
    """A scheduler that is run by hand; it is the day before the schedules start."""
    relay.clock.now = datetime.fromtimestamp(START - DAY, UTC)
    return relay


@pytest.fixture
def api(database):
    return Api(Client(make_app(database)), token_of(database, "13"))


@pytest.fixture
def ann(client, database, stopped_clock):
    """The key of somebody; it is March 2014."""
    transact(database, plant_rooms)
    return key_of(database, "ann")
