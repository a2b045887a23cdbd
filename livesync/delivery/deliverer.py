"""The deliverer brings one agent up to date, so that a crash repeats at most one batch.

Changes are delivered window by window. A window is stored in the delivery state before its
first record is sent, each batch when it is accepted, and the pointer moves when all of it
is; every one of these is a small commit of its own, and outside of the sending.
"""

from __future__ import annotations

import logging
import math
import secrets
import threading
import time
from collections.abc import Callable
from contextvars import copy_context
from typing import Any, NamedTuple, TypeVar

import transaction
from transaction.interfaces import TransientError
from ZODB import DB
from ZODB.Connection import Connection

from livesync.delivery.batch import (
    BatchDelivery,
    Stopped,
    is_fault_of_target,
    log_failure,
    reason_of,
    set_current_delivery,
)
from livesync.delivery.push_agent import PushSyncAgent
from livesync.delivery.state import ClaimedWindow
from livesync.errors import (
    AgentBusyException,
    AgentExecutionException,
    CutOffException,
    Overloaded,
    TargetAheadException,
)
from livesync.feed.agent import MissingAgent
from livesync.feed.manager import SyncManager
from scheduler.clock import nowutc
from scheduler.runtime.side_effects import is_holding
from scheduler.store import transact, using

log = logging.getLogger(__name__)

Result = TypeVar("Result")

UP_TO_DATE, FAILED, PAUSED = "up to date", "failed", "paused"


class DeliveryWindow(NamedTuple):
    """A window, and what is to be known to deliver it."""

    window: ClaimedWindow
    epoch: str
    ways: int
    is_last_try: bool


class Delivered(NamedTuple):
    """How the deliveries to an agent went."""

    outcome: str
    """One of UP_TO_DATE, FAILED, PAUSED."""

    records: int
    """How many records the target took."""

    reason: str = ""
    """Why it failed."""

    def __str__(self) -> str:
        return f"{self.outcome}: {self.reason or f'{self.records} records'}"


class Deliverer:
    """Delivers to the agent *agent_id* of *database*; *logger*, *monitor* and *task* are passed on.

    *progress* is called with the number of records after every batch. A deliverer is used
    once. `sign` is the time of its last progress, on the monotonic clock.
    """

    def __init__(
        self,
        database: DB,
        agent_id: str,
        *,
        logger: logging.Logger = log,
        monitor: Any = None,
        task: Any = None,
        progress: Callable[[int], None] = lambda records: None,
    ) -> None:
        self._database = database
        self._agent_id = agent_id
        self._logger = logger
        self._monitor = monitor
        self._task = task
        self._progress = progress
        self._current: int | None = None
        self._told_up_to = math.inf
        self._token = secrets.token_hex(8)
        self._records = 0
        self.sign = time.monotonic()

    def deliver(self, now: int | None, till: int | None = None) -> Delivered:
        """Deliver what there is up to the last bin complete at *now* (Unix seconds; None: all).

        *till* is a position to end at. A failure of the target is told, not raised. Raises
        UnknownAgentException, AgentExecutionException for an agent that does not push, and
        AgentBusyException while another run delivers.
        """
        self._current = now
        self._transact(self._begin)
        try:
            error = self._ask_target()
            if error is not None:
                return Delivered(FAILED, 0, reason_of(self._fail([error])))
            goal = self._claimed()
            if goal is not None and till is not None:
                goal = min(goal, till)
            return self._deliver(goal)
        finally:
            self._transact(lambda agent: agent.delivery_state.release(self._token))

    def _begin(self, agent: PushSyncAgent) -> None:
        agent.delivery_state.take(self._token, _now())
        agent.delivery_state.ran_at = _now()

    def _ask_target(self) -> Exception | None:
        """Return what is wrong with the target, before anything is sent to it."""
        if is_holding():
            return None
        manager = transaction.TransactionManager()
        connection = self._database.open(transaction_manager=manager)
        try:
            agent = push_agent(connection, self._agent_id)
            reached, furthest = agent.reached(), agent.delivery_state.furthest
        except AgentExecutionException as error:
            return error
        finally:
            manager.abort()
            connection.close()
        if reached is None or (furthest is not None and reached <= furthest):
            return None
        return TargetAheadException(
            f"the target was brought up to position {reached}, and this database knows of none "
            f"beyond {furthest}: it is an older backup. Bring the target in line with "
            f"'indico_livesync agent {self._agent_id} verify --repair', or export anew"
        )

    def _claimed(self) -> int | None:
        try:
            return self._transact(self._claim)
        except CutOffException:
            self._transact(lambda agent: agent.note_cut_off())
            raise

    def _claim(self, agent: PushSyncAgent) -> int | None:
        if agent.delivery_state.snapshot is not None:
            raise AgentBusyException(
                f"the snapshot for agent {self._agent_id!r} is not sent whole: let it end, or go "
                f"on with 'indico_livesync agent {self._agent_id} export'"
            )
        manager, heard = SyncManager.getDBInstance(agent), agent.delivery_state.heard
        self._told_up_to = manager.told_up_to() if heard is None else heard
        goal = agent.claim(self._current)
        # A change of a category is one of all that is in it by now, whatever the window.
        agent.delivery_state.hear(manager.getTrack().frontier)
        return goal

    def _deliver(self, goal: int | None) -> Delivered:
        parcel = self._transact(lambda agent: self._first_parcel(agent, goal))
        while parcel is not None:
            try:
                error = self._carry(parcel)
            except Stopped:
                return Delivered(PAUSED, self._records)
            if error is not None:
                return Delivered(FAILED, self._records, reason_of(error))
            parcel = self._transact(lambda agent: self._next_parcel(agent, goal))
        return Delivered(UP_TO_DATE, self._records)

    def _first_parcel(self, agent: PushSyncAgent, goal: int | None) -> DeliveryWindow | None:
        parcel = self._next_parcel(agent, goal)
        if parcel is not None or not agent.delivery_state.dead_letters.due(_now()):
            return parcel
        return self._parcel(agent, agent.getLastTS())

    def _next_parcel(self, agent: PushSyncAgent, goal: int | None) -> DeliveryWindow | None:
        start = agent.getLastTS()
        if goal is None or (start is not None and start >= goal):
            return None
        return self._parcel(agent, agent.reach(goal, agent.delivery_state.settings.window))

    def _parcel(self, agent: PushSyncAgent, end: int | None) -> DeliveryWindow:
        state = agent.delivery_state
        state.take(self._token, _now())
        window = state.open(ClaimedWindow(agent.getLastTS(), end, self._told_up_to))
        epoch = state.mark_from(window.start)
        is_last_try = state.failures + 1 >= state.settings.tries
        return DeliveryWindow(window, epoch, state.settings.parallel, is_last_try)

    def _carry(self, parcel: DeliveryWindow) -> BaseException | None:
        """Deliver *parcel*, by as many ways as there are; return what went wrong."""
        errors: list[BaseException] = []

        def carry(number: int) -> None:
            try:
                error = self._carry_share(parcel, number)
            except BaseException as stopped:  # noqa: BLE001 (raised below, in the caller's thread)
                error = stopped
            if error is not None:
                errors.append(error)

        threads = [
            threading.Thread(target=copy_context().run, args=(carry, number), daemon=True)
            for number in range(1, parcel.ways)
        ]
        for thread in threads:
            thread.start()
        carry(0)
        for thread in threads:
            thread.join()
        if not errors:
            self._transact(lambda agent: self._close(agent, parcel.window))
            return None
        return self._fail(errors)

    def _carry_share(self, parcel: DeliveryWindow, number: int) -> BaseException | None:
        manager = transaction.TransactionManager()
        connection = self._database.open(transaction_manager=manager)
        try:
            with using(connection):
                return self._run(connection, parcel, number)
        finally:
            set_current_delivery(None)
            manager.abort()
            connection.close()

    def _run(
        self, connection: Connection, parcel: DeliveryWindow, number: int
    ) -> BaseException | None:
        agent = push_agent(connection, self._agent_id)
        state = agent.delivery_state
        delivery = BatchDelivery(
            state.dead_letters,
            _now(),
            agent_id=self._agent_id,
            end=parcel.window.end,
            told_up_to=parcel.window.told_up_to,
            epoch=parcel.epoch,
            accepted=state.accepted,
            share=(number, parcel.ways),
            failures=state.failures,
            is_last_try=parcel.is_last_try,
            report=self._report,
        )
        set_current_delivery(delivery)
        result = agent.run(
            self._current,
            logger=self._logger,
            monitor=self._monitor,
            dbi=connection,
            task=self._task,
        )
        # Before the pointer moves: refused records must be dead letters by then.
        self._report(delivery)
        if result is None:
            return delivery.error or AgentExecutionException("the run failed")
        if parcel.ways == 1:
            agent.acknowledge()
            _commit_if_possible(connection, self._agent_id)
        return None

    def _report(self, delivery: BatchDelivery) -> None:
        """Write down what *delivery* came to so far; Stopped where it is not to go on."""
        results = delivery.collect()
        self.sign = time.monotonic()

        def enter(agent: PushSyncAgent) -> tuple[bool, list[str]]:
            state, dead = agent.delivery_state, []
            if not state.is_held_by(self._token):
                return False, []
            if any(results[:3]):
                dead = state.enter(results, _now())
                state.take(self._token, _now())
            return not state.paused, dead

        goes_on, dead = self._transact(enter)
        for line in dead:
            self._logger.error("agent %s: %s", self._agent_id, line)
        self._records += len(results.accepted)
        self._progress(self._records)
        if not goes_on:
            raise Stopped

    def _close(self, agent: PushSyncAgent, window: ClaimedWindow) -> None:
        if agent.delivery_state.is_held_by(self._token):
            agent.delivered(window.end)
            agent.acknowledge()
            agent.delivery_state.close()

    def _fail(self, errors: list[BaseException]) -> BaseException:
        error = next((e for e in errors if not isinstance(e, Exception)), errors[0])
        if not isinstance(error, Exception | SystemExit):
            raise error
        retry_after = next((e.retry_after for e in errors if isinstance(e, Overloaded)), None)
        is_unsure = any(map(is_fault_of_target, errors))

        def fail(agent: PushSyncAgent) -> None:
            state = agent.delivery_state
            state.fail(reason_of(error), _now(), retry_after)
            if not is_unsure and not state.accepted:
                # The target said no to all of it: what comes in meanwhile may go with it.
                state.void()

        self._transact(fail)
        log_failure(self._logger, self._agent_id, error)
        return error

    def _transact(self, work: Callable[[PushSyncAgent], Result]) -> Result:
        return transact(
            self._database,
            lambda own: work(push_agent(own, self._agent_id)),
            note=f"livesync: deliver to {self._agent_id}",
        )


def push_agent(connection: Connection, agent_id: str) -> PushSyncAgent:
    """Return the agent; raises UnknownAgentException, and AgentExecutionException if it is no such.

    What does not push cannot be delivered to.
    """
    agent = SyncManager.getDBInstance(connection).getAgent(agent_id)
    if isinstance(agent, MissingAgent):
        raise AgentExecutionException(agent.complaint)
    if not isinstance(agent, PushSyncAgent):
        raise AgentExecutionException(f"agent {agent_id!r} does not push records: it cannot be run")
    return agent


def _commit_if_possible(connection: Connection, agent_id: str) -> None:
    try:
        connection.transaction_manager.commit()
    except TransientError as error:
        # Everything is sent: only what says so is to be written, and that follows.
        log.info("agent %s: its own changes were discarded after a conflict: %s", agent_id, error)
        connection.transaction_manager.abort()


def _now() -> float:
    return nowutc().timestamp()
