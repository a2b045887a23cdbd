"""The pytest plugin's agent, whose records the test can read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
import transaction
from ZODB import DB
from ZODB.Connection import Connection

from livesync.delivery.push_agent import PushSyncAgent
from livesync.delivery.uploader import RecordUploader
from livesync.feed.agent import STATUS_NAMES
from livesync.feed.manager import SyncManager
from livesync.records.reduction import Record
from scheduler.store import transact
from scheduler.testing import Relay

AGENT_ID = "recorded"

_sent: list[tuple[Any, str]] = []


class _Recorder(RecordUploader):
    """Keeps what is uploaded in a list of this process."""

    def _uploadBatch(self, batch: list[Record]) -> None:
        for _, obj_id, status in batch:
            names = (name for bit, name in STATUS_NAMES.items() if status & bit)
            _sent.append((obj_id, " ".join(names)))


class RecordingAgent(PushSyncAgent):
    """An agent whose target is a list of the process that runs it."""

    def _run(
        self,
        data: Iterable[Record],
        logger: Any = None,
        monitor: Any = None,
        dbi: Connection | None = None,
        task: Any = None,
    ) -> bool:
        return _Recorder(logger, self).iterateOver(data, dbi)


class RecordedAgent:
    """A registered, active agent, run by hand or by an update task, and what it was sent."""

    def __init__(self, database: DB) -> None:
        self._database = database
        _sent.clear()
        self._transact(_register)

    @property
    def sent(self) -> list[tuple[Any, str]]:
        """The records sent so far, oldest first: object id, and status (`CRT MOD DEL`)."""
        return list(_sent)

    def push(self) -> None:
        """Commit, send everything that was not sent yet, and acknowledge it."""
        self._transact(_push)

    def _transact(self, work: Callable[[Connection], None]) -> None:
        # The test's own changes are kept, and it sees the changes that are made here.
        transaction.commit()
        transact(self._database, work)
        transaction.begin()


@pytest.fixture
def recorded_agent(relay: Relay) -> Iterator[RecordedAgent]:
    """Give an agent of the relay's database with a recorded target."""
    yield RecordedAgent(relay.database)
    _sent.clear()


def _register(connection: Connection) -> None:
    agent = RecordingAgent(AGENT_ID, "Recorded", "Keeps what it is sent", 1)
    SyncManager.getDBInstance(connection).registerNewAgent(agent)
    agent.setActive(True)


def _push(connection: Connection) -> None:
    agent = SyncManager.getDBInstance(connection).getAgent(AGENT_ID)
    if not isinstance(agent, RecordingAgent) or agent.run(None, dbi=connection) is None:
        raise RuntimeError("the recorded agent could not be run; the log says why")
    agent.acknowledge()
