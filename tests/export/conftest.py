from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import ZODB
from werkzeug.test import Client

from export.app import make_app
from scheduler.store import transact
from scheduler.testing import StandingClock
from tests.export.planting import plant

NOW = datetime(2014, 3, 24, 22, 30, tzinfo=UTC)


@pytest.fixture
def stopped_clock(clock: StandingClock) -> StandingClock:
    """The clock, standing still at one moment that all know."""
    clock.now = NOW
    return clock


@pytest.fixture
def database() -> Iterator[ZODB.DB]:
    """An application's own database, in memory: it is made a thousand times."""
    database = ZODB.DB(None)
    yield database
    database.close()


@pytest.fixture
def client(database: ZODB.DB) -> Client:
    return Client(make_app(database, {"base_url": "https://indico.server", "api_mode": "KEY"}))


@pytest.fixture
def planted(database: ZODB.DB, client: Client) -> Client:
    """A client of the event of reference 5.3.2."""
    transact(database, plant)
    return client
