"""The delivery session: one run's lease on an agent, its views of the database, and its notes."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, Self, TypeVar

from ZODB import DB
from ZODB.Connection import Connection
from ZODB.POSException import POSKeyError

from livesync.delivery.batch import BatchDelivery, Stopped
from livesync.delivery.faults import reason_of
from livesync.delivery.push_agent import PushSyncAgent, push_agent
from livesync.delivery.results import NO_RESULTS, BatchResults
from livesync.delivery.senders import delivering
from livesync.errors import AgentBusyException, AgentExecutionException
from livesync.feed.manager import SyncManager
from livesync.hooks import DeadRecordEvent, DeliveryEvent
from scheduler.clock import nowutc
from scheduler.runtime.hook_registry import REGISTRY
from scheduler.store import transact
from scheduler.store.read_view import read_view

log = logging.getLogger(__name__)

Result = TypeVar("Result")


class DeliverySession:
    """The right of one run to send to agent *agent_id* of *database*, and all that it writes down.

    A crash, wherever it comes, repeats at most one batch, the same one with the same keys. The
    order of the commits makes it so:

    1. `open`, before anything is sent, writes the lease, how far the run claims the track, the
       delivery window, and the epoch from which keys are made.
    2. `note`, before a further batch is sent, writes the results of the batch before it.
    3. `write`, when the window is sent, writes the results of its last batch, dead letters, the
       pointer and the end of the window; and either the next window or the end of the lease.

    A run that is killed before 1 has sent nothing. After 1 the next run finds the window, with the
    marks of the batches that were noted, and sends only the rest of it. So the target gets again
    what it had accepted, and nobody had noted: one batch; with parallel ways one of each way. An
    agent that changes itself, or overrides `acknowledge`, has its pointer moved before 3, in its
    own transaction, once all of the window is accepted.

    The session is a context manager, and gives up the lease at its end. *progress* is called with
    the number of records so far; `sign` is the time of the last progress, on the monotonic clock.
    """

    def __init__(
        self,
        database: DB,
        agent_id: str,
        *,
        logger: logging.Logger = log,
        progress: Callable[[int], None] = lambda records: None,
    ) -> None:
        self.agent_id = agent_id
        self.records = 0
        self.sign = time.monotonic()
        self._database = database
        self._logger = logger
        self._progress = progress
        self._token = secrets.token_hex(8)

    def open(self, work: Callable[[PushSyncAgent], Result]) -> Result:
        """Take the lease and do *work*, in one commit; return what that returned.

        Before that, what was recorded is put into order, so that *work* can claim it.
        Raises UnknownAgentException, AgentExecutionException for an agent that does not push, and
        AgentBusyException while another run has the lease.
        """

        def take(agent: PushSyncAgent) -> Result:
            agent.delivery_state.take(self._token, _now())
            return work(agent)

        with self.view() as connection:
            SyncManager.getDBInstance(connection).sequence()
        return self._transact(take)

    def write(
        self, work: Callable[[PushSyncAgent], Result], results: BatchResults = NO_RESULTS
    ) -> Result:
        """Enter *results* and do *work*, in one commit; return what that returned.

        Raises AgentBusyException where the lease was lost.
        """

        def enter(agent: PushSyncAgent) -> tuple[Result, list[str]]:
            state = agent.delivery_state
            if not state.is_held_by(self._token):
                raise AgentBusyException(
                    f"agent {self.agent_id!r} was rewound, or another run delivers to it now"
                )
            state.take(self._token, _now())
            dead = state.enter(results, _now())
            return work(agent), dead

        self.sign = time.monotonic()
        result, dead = self._transact(enter)
        for line in dead:
            self._logger.error("agent %s: %s", self.agent_id, line)
            REGISTRY.call("on_record_dead_letter", DeadRecordEvent(self.agent_id, line))
        if results:
            self.records += len(results.accepted)
            self._progress(self.records)
            self._announce(results)
        return result

    def _announce(self, results: BatchResults) -> None:
        count = len(results.accepted)
        if count:
            event = DeliveryEvent(
                self.agent_id, nowutc(), count, results.seconds, traces=results.traces
            )
            REGISTRY.call("on_delivered", event)

    def note(self, delivery: BatchDelivery) -> None:
        """Write down what *delivery* came to so far; raises Stopped where it is not to go on.

        That is where the lease was lost, or the agent was paused.
        """
        self.sign = time.monotonic()
        results = delivery.collect()
        try:
            if results:
                self.write(lambda agent: agent.delivery_state.mark(results), results)
        except AgentBusyException as error:
            raise Stopped from error
        if not self._transact(self._goes_on):
            raise Stopped

    def release(self, agent: PushSyncAgent) -> None:
        """Give up the lease, in the commit that *agent* belongs to."""
        agent.delivery_state.release(self._token)

    def view(self, tid: int | None = None) -> AbstractContextManager[Connection]:
        """Give a connection to send from: to the present snapshot, or that of transaction *tid*."""
        return read_view(self._database, tid)

    def send(self, records: Iterable[Any], connection: Connection) -> BatchResults:
        """Send *records* that do not come from the track; return the results, to be written.

        Their objects belong to *connection*. Raises AgentExecutionException where the target fails.
        """
        agent = push_agent(connection, self.agent_id)
        delivery = BatchDelivery(agent.delivery_state)
        try:
            with delivering(agent, delivery):
                sent = delivery.records(lambda: records)
                if agent._run(sent, logger=self._logger, dbi=connection) is None:
                    raise AgentExecutionException(
                        "the run reported a failure, without saying which"
                    )
                delivery.end_well()
        except POSKeyError:
            raise
        except Exception as error:
            raise AgentExecutionException(reason_of(error)) from error
        return delivery.collect()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._transact(self.release)  # which writes nothing where it was given up before

    def _goes_on(self, agent: PushSyncAgent) -> bool:
        state = agent.delivery_state
        return state.is_held_by(self._token) and not state.paused

    def _transact(self, work: Callable[[PushSyncAgent], Result]) -> Result:
        def on_agent(connection: Connection) -> Result:
            return work(push_agent(connection, self.agent_id))

        return transact(self._database, on_agent, note=f"livesync: deliver to {self.agent_id}")


def _now() -> float:
    return nowutc().timestamp()
