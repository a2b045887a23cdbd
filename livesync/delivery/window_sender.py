"""The sender of a delivery window: it has the agent run, by one way or by several at once."""

from __future__ import annotations

import logging
import threading
from contextvars import copy_context
from typing import Any, NamedTuple

from transaction.interfaces import TransientError
from ZODB.Connection import Connection

from livesync.delivery.batch import BatchDelivery
from livesync.delivery.push_agent import PushSyncAgent, push_agent
from livesync.delivery.results import NO_RESULTS, BatchResults
from livesync.delivery.senders import delivering
from livesync.delivery.session import DeliverySession
from livesync.delivery.state import ClaimedWindow
from livesync.errors import AgentExecutionException
from scheduler.clock import nowutc
from scheduler.store import has_changes

log = logging.getLogger(__name__)


class DeliveryWindow(NamedTuple):
    """A window, and what is to be known to deliver it."""

    window: ClaimedWindow
    epoch: str
    ways: int
    current: int | None
    """The time for which the run is made, in Unix seconds; None for all that there is."""


class Share(NamedTuple):
    """How the part of a window went that one way delivers."""

    delivery: BatchDelivery | None
    error: BaseException | None = None
    is_acknowledged: bool = False
    """Whether the agent has moved its pointer itself."""

    def collect(self) -> BatchResults:
        """Return what is not noted yet; where there are several ways, each has noted its own."""
        return NO_RESULTS if self.delivery is None else self.delivery.collect()


class WindowSender:
    """Sends windows within *session*; *logger*, *monitor* and *task* are passed on to the agent."""

    def __init__(
        self, session: DeliverySession, logger: logging.Logger, monitor: Any, task: Any
    ) -> None:
        self._session = session
        self._logger = logger
        self._monitor = monitor
        self._task = task

    def send(self, window: DeliveryWindow) -> list[Share]:
        """Send *window*, by as many ways as it wants; return how each of them went."""
        shares: list[Share] = []

        def send(number: int) -> None:
            shares.append(self._send_share(window, number))

        threads = [
            threading.Thread(target=copy_context().run, args=(send, number), daemon=True)
            for number in range(1, window.ways)
        ]
        for thread in threads:
            thread.start()
        send(0)
        for thread in threads:
            thread.join()
        return shares

    def _send_share(self, window: DeliveryWindow, number: int) -> Share:
        try:
            with self._session.view() as connection:
                return self._run(connection, window, number)
        except BaseException as error:  # noqa: BLE001 (raised by the deliverer, in its thread)
            return Share(None, error)

    def _run(self, connection: Connection, window: DeliveryWindow, number: int) -> Share:
        agent = push_agent(connection, self._session.agent_id)
        delivery = self._delivery(agent, window, number)
        with delivering(agent, delivery):
            result = agent.run(
                window.current,
                logger=self._logger,
                monitor=self._monitor,
                dbi=connection,
                task=self._task,
            )
            if window.ways > 1:
                self._session.note(delivery)
            if result is None:
                return Share(delivery, delivery.error or AgentExecutionException("the run failed"))
            has_part = window.ways == 1 and _has_part(agent, connection)
            return Share(
                delivery, None, has_part and self._acknowledge(agent, delivery, connection)
            )

    def _delivery(self, agent: PushSyncAgent, window: DeliveryWindow, number: int) -> BatchDelivery:
        return BatchDelivery(
            agent.delivery_state,
            _now(),
            end=window.window.end,
            known_up_to=window.window.known_up_to,
            epoch=window.epoch,
            accepted=agent.delivery_state.accepted,
            share=(number, window.ways),
            report=self._session.note,
        )

    def _acknowledge(
        self, agent: PushSyncAgent, delivery: BatchDelivery, connection: Connection
    ) -> bool:
        """Move the pointer together with what the agent has changed; return whether that held."""
        if delivery.has_refused:
            self._session.note(delivery)  # dead letters, before the pointer is beyond them
        agent.acknowledge()
        return _committed(connection, self._session.agent_id)


def _has_part(agent: PushSyncAgent, connection: Connection) -> bool:
    """Say whether the pointer is moved in the transaction of the agent: it has a part in that."""
    overrides = type(agent).acknowledge is not PushSyncAgent.acknowledge
    return overrides or has_changes(connection)


def _committed(connection: Connection, agent_id: str) -> bool:
    try:
        connection.transaction_manager.commit()
    except TransientError as error:
        # Everything is sent: only what says so is to be written, and that follows.
        log.info("agent %s: its own changes were discarded after a conflict: %s", agent_id, error)
        connection.transaction_manager.abort()
        return False
    return True


def _now() -> float:
    return nowutc().timestamp()
