"""LiveSyncUpdateTask: it brings the active agents up to date, all at the same time."""

from __future__ import annotations

import logging
import threading
import time
from contextvars import copy_context

from ZODB import DB
from ZODB.Connection import Connection

from livesync.delivery.deliverer import Deliverer
from livesync.delivery.due import until_due
from livesync.delivery.faults import log_failure
from livesync.delivery.push_agent import PushSyncAgent, push_agent
from livesync.errors import AgentBusyException
from livesync.feed.manager import SyncManager
from livesync.feed.trimmer import trim_if_due
from scheduler.clock import nowutc
from scheduler.store import current, transact
from scheduler.tasks import PeriodicTask

log = logging.getLogger(__name__)

POLL_SECONDS = 1.0


class LiveSyncUpdateTask(PeriodicTask):
    """Pushes what changed to the targets of all active agents (reference 4.6).

    *frequency* and the further arguments are those of a periodic task. Agents stop each other
    neither by a failure nor by hanging: each has a thread, and a transaction of its own. The
    result is a line for each agent.
    """

    # Its own transaction is as long as the slowest target takes.
    alone = True

    def run(self) -> dict[str, str]:
        """Deliver to every active agent that is due; return how it went, by agent id."""
        database = current().db()
        now = int(nowutc().timestamp())
        runs = [_Run(database, agent_id, now, self) for agent_id in transact(database, _due)]
        for run in runs:
            run.start()
        outcomes = {run.agent_id: run.wait() for run in runs}
        transact(database, lambda own: SyncManager.getDBInstance(own).tend())
        trim_if_due(database)
        return outcomes


class _Run:
    """The delivery to one agent, in a thread that is left alone when it hangs."""

    def __init__(self, database: DB, agent_id: str, now: int, task: PeriodicTask) -> None:
        self.agent_id = agent_id
        self._database = database
        self._now = now
        self._limit = transact(
            database, lambda own: push_agent(own, agent_id).delivery_state.settings.limit
        )
        self._deliverer = Deliverer(database, agent_id, logger=log, task=task)
        self._outcome = ""
        self._thread = threading.Thread(
            target=copy_context().run, args=(self._deliver,), name=f"to {agent_id}", daemon=True
        )

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def wait(self) -> str:
        """Return how it went, when it has ended or has given no sign of life for too long."""
        while self._thread.is_alive():
            self._thread.join(min(POLL_SECONDS, self._limit))
            if self._thread.is_alive() and time.monotonic() - self._deliverer.sign > self._limit:
                return self._fail()
        return self._outcome

    def _deliver(self) -> None:
        try:
            self._outcome = str(self._deliverer.deliver(self._now))
        except AgentBusyException as error:
            self._outcome = str(error)
            log.info("agent %s: %s", self.agent_id, error)
        except Exception as error:  # noqa: BLE001 (whatever it is, the others go on)
            self._outcome = f"failed: {type(error).__name__}: {error}"
            log_failure(log, self.agent_id, error)

    def _fail(self) -> str:
        reason = f"it gave no sign of life for {self._limit:g} s"
        log.error("agent %s is left alone: %s", self.agent_id, reason)

        def fail(connection: Connection) -> None:
            push_agent(connection, self.agent_id).delivery_state.fail(reason, nowutc().timestamp())

        transact(self._database, fail)
        return f"failed: {reason}"


def _due(connection: Connection) -> list[str]:
    now = nowutc().timestamp()
    agents = SyncManager.getDBInstance(connection).agents()
    return [
        agent.getId()
        for agent in agents
        if isinstance(agent, PushSyncAgent) and _is_due(agent, now)
    ]


def _is_due(agent: PushSyncAgent, now: float) -> bool:
    if not agent.isActive():
        log.warning("agent %s is not active: it is not run", agent.getId())
        return False
    if agent.cut_off is not None:
        log.warning("agent %s was cut off: it is not run", agent.getId())
        return False
    return until_due(agent, SyncManager.getDBInstance(agent), now) == 0
