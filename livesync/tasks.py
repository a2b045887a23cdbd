"""LiveSyncUpdateTask: it runs the active agents, one after the other."""

from __future__ import annotations

import logging

import transaction
from transaction.interfaces import TransientError
from ZODB import DB
from ZODB.Connection import Connection

from livesync.agent import PushSyncAgent
from livesync.manager import SyncManager
from scheduler.clock import nowutc
from scheduler.store import current, transact, using
from scheduler.tasks import PeriodicTask

log = logging.getLogger(__name__)


class LiveSyncUpdateTask(PeriodicTask):
    """Pushes what changed to the targets of all active agents (reference 4.6).

    *frequency* and the further arguments are those of a periodic task. Each agent has a
    transaction of its own, committed when its target has accepted everything: a failure of
    one leaves its pointer where it is, and the others alone.
    """

    def run(self) -> None:
        """Run every active agent once."""
        database = current().db()
        now = int(nowutc().timestamp())
        for agent_id in transact(database, _push_agents):
            try:
                self._update(database, agent_id, now)
            except Exception:
                log.exception("agent %s could not be brought up to date", agent_id)
        transact(database, lambda own: SyncManager.getDBInstance(own).tend())

    def _update(self, database: DB, agent_id: str, now: int) -> None:
        manager = transaction.TransactionManager()
        connection = database.open(transaction_manager=manager)
        try:
            with using(connection):
                self._push(connection, agent_id, now)
        finally:
            manager.abort()
            connection.close()

    def _push(self, connection: Connection, agent_id: str, now: int) -> None:
        agent = _agent(connection, agent_id)
        if not agent.isActive():
            log.warning("agent %s is not active: it is not run", agent_id)
            return
        database = connection.db()
        if agent.run(now, logger=log, dbi=connection, task=self) is None:
            _, reason = agent.last_failure or (None, "")
            connection.transaction_manager.abort()
            transact(database, lambda own: _agent(own, agent_id).note_failure(reason))
            return
        position = agent.last_try
        agent.acknowledge()
        try:
            connection.transaction_manager.commit()
        except TransientError:
            # Everything is sent: only what says so is to be done again.
            connection.transaction_manager.abort()
            transact(database, lambda own: _acknowledge(own, agent_id, position))


def _push_agents(connection: Connection) -> list[str]:
    agents = SyncManager.getDBInstance(connection).getAllAgents().items()
    return sorted(agent_id for agent_id, agent in agents if isinstance(agent, PushSyncAgent))


def _agent(connection: Connection, agent_id: str) -> PushSyncAgent:
    agent = SyncManager.getDBInstance(connection).getAgent(agent_id)
    if not isinstance(agent, PushSyncAgent):
        raise TypeError(f"agent {agent_id!r} does not push: it cannot be run")
    return agent


def _acknowledge(connection: Connection, agent_id: str, position: int | None) -> None:
    agent = _agent(connection, agent_id)
    agent.delivered(position)
    agent.acknowledge()
