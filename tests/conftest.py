"""A database of its own for each test that asks for one."""

from __future__ import annotations

import logging
import os
import signal
from contextlib import closing

import httpx
import pytest
import transaction
from hypothesis import HealthCheck, settings

from export.model import listeners
from scheduler.store import open_database, using
from tests import ports, postgres
from tests.faults.processes import serving
from tests.scheduler.harness import View
from tests.waiting import DEADLINE

# Under `nohup` SIGHUP is ignored, and so it would be by all daemons that the tests start.
signal.signal(signal.SIGHUP, signal.SIG_DFL)

# A machine that has much else to do is slow, not wrong. Only `make soak` draws examples anew:
# who has changed something else should not be the one to find them.
settings.register_profile(
    "any_machine",
    deadline=None,
    derandomize=not os.environ.get("SOAK"),
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("any_machine")
# httpx gives up after five seconds.
vars(httpx._config.DEFAULT_TIMEOUT_CONFIG).update(
    dict.fromkeys(("connect", "read", "write", "pool"), DEADLINE)
)


class Loggers(dict):
    """All loggers by name: pytest looks at each as a test begins, while threads may add some."""

    def values(self):
        return list(super().values())


logging.root.manager.loggerDict = Loggers(logging.root.manager.loggerDict)


@pytest.hookimpl(wrapper=True)
def pytest_report_to_serializable():
    """Escape the lone surrogates of a report, with which it cannot be sent to another process."""
    return sendable((yield))


def sendable(data):
    """Return *data*, of a report, with its texts as UTF-8 can have them."""
    if isinstance(data, str):
        return data.encode(errors="backslashreplace").decode()
    if isinstance(data, dict):
        return {key: sendable(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return type(data)(map(sendable, data))
    return data


@pytest.fixture(autouse=True, scope="module")
def listeners_of_its_own():
    """What a module subscribes, as every application does, hears nothing of the next one."""
    before = [*listeners._listeners]
    yield
    listeners._listeners[:] = before


@pytest.fixture
def uri(tmp_path):
    """The address of an embedded database of the test's own."""
    return f"file://{tmp_path}/data.fs"


@pytest.fixture(params=["embedded", "zeo", "postgres"])
def any_uri(request, tmp_path, free_port):
    """The address of a new database, in each of the ways in which processes share it."""
    if request.param == "embedded":
        yield f"file://{tmp_path}/data.fs"
    elif request.param == "zeo":
        with serving(tmp_path / "zeo.fs", free_port):
            yield f"zeo://127.0.0.1:{free_port}?wait_timeout=20"
    else:
        with postgres.database(request.getfixturevalue("postgres_server")) as uri:
            yield uri


@pytest.fixture
def database(uri):
    database = open_database(uri)
    yield database
    database.close()


@pytest.fixture
def view(database):
    """A view of the database, with a transaction manager of its own."""
    with closing(View(database)) as view:
        yield view


@pytest.fixture
def connection(database):
    """The current connection of the test."""
    connection = database.open(transaction_manager=transaction.TransactionManager())
    with using(connection):
        yield connection
    connection.transaction_manager.abort()
    connection.close()


@pytest.fixture
def clock(relay_clock):
    """The clock that the package ships for tests: it stands still until it is moved."""
    return relay_clock


@pytest.fixture(scope="session")
def postgres_server():
    """A PostgreSQL server for all tests."""
    with postgres.server() as running:
        yield running


@pytest.fixture(scope="module")
def postgres_uri(postgres_server):
    """The address of a database of PostgreSQL for the tests of one module."""
    with postgres.database(postgres_server) as uri:
        yield uri


@pytest.fixture
def free_port():
    """A port for a server of a test."""
    return ports.free_port()
