"""The dispatcher of deliveries: it runs the active agents when something is committed."""

from __future__ import annotations

import logging
import threading
import time
from contextvars import copy_context

from ZODB import DB
from ZODB.Connection import Connection

from livesync.delivery.deliverer import FAILED, Deliverer
from livesync.delivery.due import until_changes, until_due
from livesync.delivery.faults import log_failure
from livesync.delivery.push_agent import PushSyncAgent
from livesync.errors import AgentBusyException
from livesync.feed.manager import SyncManager
from livesync.feed.trimmer import trim_if_due
from scheduler.clock import nowutc
from scheduler.storage import outage_log
from scheduler.storage.outage import is_outage, is_transient
from scheduler.store import transact
from scheduler.store.commit_signal import CommitSignal

log = logging.getLogger(__name__)

LONGEST_SLEEP = 5.0
# Pause in seconds after an outage of the database, or a busy or failing agent.
REST_SECONDS = 1.0
# Seconds that deliveries under way may take to end at shutdown.
END_SECONDS = 10.0


class DeliveryDispatcher:
    """Delivers to the active agents of *database* whatever is committed, within a bin's time.

    A first change is delivered at once. A change in a bin that was delivered already is placed in
    the next bin, and waits until that begins: so there is at most one delivery in each bin (the
    manager's granularity), and positions remain times. Each agent has a thread, so that failures
    and hanging targets do not concern other agents.
    """

    def __init__(self, database: DB) -> None:
        self._database = database
        self._busy: dict[str, threading.Thread] = {}
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._wake = CommitSignal(database)

    def run(self) -> None:
        """Deliver until `stop` is called, then wait for the deliveries under way."""
        try:
            while not self._stop.is_set():
                self._wake.wait(self._look())
        finally:
            self._wait_for_deliveries()
            self._wake.close()

    def stop(self) -> None:
        """Make `run` return, from another thread."""
        self._stop.set()
        self._wake.set()

    def _look(self) -> float:
        """Start the deliveries that are due; return how long there will be none."""
        try:
            due, rest = transact(self._database, self._due)
            trim_if_due(self._database)
        except Exception as error:
            if not is_transient(error):
                raise
            if is_outage(error):
                outage_log.met(error)
            return REST_SECONDS
        outage_log.reached()
        for agent_id in due:
            self._start(agent_id)
        return rest

    def _due(self, connection: Connection) -> tuple[list[str], float]:
        manager = SyncManager.getDBInstance(connection)
        manager.sequence()
        now = nowutc().timestamp()
        with self._lock:
            idle = [agent for agent in manager.agents() if agent.getId() not in self._busy]
        rests = {
            agent.getId(): max(until_due(agent, manager, now), until_changes(agent, manager, now))
            for agent in idle
            if isinstance(agent, PushSyncAgent)
        }
        due = [agent_id for agent_id, rest in rests.items() if rest <= 0]
        return due, min([LONGEST_SLEEP, *(rest for rest in rests.values() if rest > 0)])

    def _start(self, agent_id: str) -> None:
        thread = threading.Thread(
            target=copy_context().run,
            args=(self._deliver, agent_id),
            name=f"to {agent_id}",
            daemon=True,
        )
        with self._lock:
            self._busy[agent_id] = thread
        thread.start()

    def _wait_for_deliveries(self) -> None:
        deadline = time.monotonic() + END_SECONDS
        with self._lock:
            threads = list(self._busy.values())
        for thread in threads:
            thread.join(max(0, deadline - time.monotonic()))

    def _deliver(self, agent_id: str) -> None:
        try:
            delivered = Deliverer(self._database, agent_id, logger=log).deliver(None)
            if delivered.outcome != FAILED:
                log.info("agent %s: %s", agent_id, delivered)
        except AgentBusyException as error:
            log.info("agent %s: %s", agent_id, error)
            self._stop.wait(REST_SECONDS)
        except Exception as error:  # noqa: BLE001 (whatever it is, the others go on)
            log_failure(log, agent_id, error)
            self._stop.wait(REST_SECONDS)
        finally:
            with self._lock:
                self._busy.pop(agent_id, None)
            self._wake.set()
