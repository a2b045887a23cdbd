"""The deliverer: it brings one agent up to date, window by window, within a delivery session."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from ZODB import DB

from livesync.delivery.batch import Stopped
from livesync.delivery.faults import is_fault_of_target, log_failure, reason_of
from livesync.delivery.push_agent import PushSyncAgent, push_agent
from livesync.delivery.senders import delivering
from livesync.delivery.session import DeliverySession
from livesync.delivery.state import ClaimedWindow, DeliveryState
from livesync.delivery.window_sender import DeliveryWindow, Share, WindowSender
from livesync.errors import (
    AgentBusyException,
    AgentExecutionException,
    CutOffException,
    Overloaded,
    TargetAheadException,
)
from livesync.feed.manager import SyncManager
from livesync.hooks import DeliveryEvent
from scheduler.clock import nowutc
from scheduler.runtime.hook_registry import REGISTRY
from scheduler.runtime.side_effects import is_holding

log = logging.getLogger(__name__)

UP_TO_DATE, FAILED, PAUSED = "up to date", "failed", "paused"


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

    *progress* is called with the number of records after every batch. A deliverer is used once.
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
        self._agent_id = agent_id
        self._logger = logger
        self._session = DeliverySession(database, agent_id, logger=logger, progress=progress)
        self._sender = WindowSender(self._session, logger, monitor, task)
        self._current: int | None = None
        self._till: int | None = None
        self._goal: int | None = None
        self._known_up_to = float("inf")
        self._fault: AgentExecutionException | None = None

    @property
    def sign(self) -> float:
        """The time of the last progress, on the monotonic clock."""
        return self._session.sign

    def deliver(self, now: int | None, till: int | None = None) -> Delivered:
        """Deliver what there is up to the last bin complete at *now* (Unix seconds; None: all).

        *till* is a position to end at. A failure of the target is told, not raised. Raises
        UnknownAgentException, AgentExecutionException for an agent that does not push, and
        AgentBusyException while another run delivers.
        """
        self._current, self._till = now, till
        answer = self._ask_target()
        with self._session as session:
            window = session.open(partial(self._open, answer))
            if self._fault is not None:
                return self._not_begun(self._fault)
            try:
                while window is not None:
                    shares = self._sender.send(window)
                    if any(share.error for share in shares):
                        return self._fail(shares)
                    window = self._settle(window, shares)
            except Stopped:
                return Delivered(PAUSED, session.records)
            return Delivered(UP_TO_DATE, session.records)

    def _ask_target(self) -> int | AgentExecutionException | None:
        """Return up to where the target was brought, or what is wrong with it.

        It is asked before the lease is taken, so that no transaction waits for a target.
        """
        if is_holding():
            return None
        with self._session.view() as connection:
            try:
                return push_agent(connection, self._agent_id).reached()
            except AgentExecutionException as error:
                return error

    def _open(
        self, answer: int | AgentExecutionException | None, agent: PushSyncAgent
    ) -> DeliveryWindow | None:
        state, self._fault = agent.delivery_state, None
        if state.full_export is not None:
            raise AgentBusyException(
                f"the full export to agent {self._agent_id!r} is not complete: let it end, or go "
                f"on with 'indico_livesync agent {self._agent_id} export'"
            )
        state.ran_at = _now()
        try:
            _refuse_if_ahead(agent, answer)
            self._claim(agent)
        except CutOffException as error:
            agent.note_cut_off()
            self._fault = error
        except AgentExecutionException as error:
            _note_failure(state, [error])
            self._fault = error
        window = None if self._fault else self._first_window(agent)
        if window is None:
            self._session.release(agent)
        return window

    def _not_begun(self, fault: AgentExecutionException) -> Delivered:
        if isinstance(fault, CutOffException):
            raise fault
        log_failure(self._logger, self._agent_id, fault)
        return self._failed(fault)

    def _claim(self, agent: PushSyncAgent) -> None:
        manager, known = SyncManager.getDBInstance(agent), agent.delivery_state.known_up_to
        self._known_up_to = manager.known_up_to() if known is None else known
        self._goal = agent.claim(self._current)
        if self._goal is not None and self._till is not None:
            self._goal = min(self._goal, self._till)
        # A change of a category is one of all that is in it by now, whatever the window.
        agent.delivery_state.note_known(manager.getTrack().frontier)

    def _first_window(self, agent: PushSyncAgent) -> DeliveryWindow | None:
        window = self._next_window(agent)
        if window is not None or not agent.delivery_state.dead_letters.due(_now()):
            return window
        return self._window(agent, agent.getLastTS())

    def _next_window(self, agent: PushSyncAgent) -> DeliveryWindow | None:
        start = agent.getLastTS()
        if self._goal is None or (start is not None and start >= self._goal):
            return None
        return self._window(agent, agent.reach(self._goal, agent.delivery_state.settings.window))

    def _window(self, agent: PushSyncAgent, end: int | None) -> DeliveryWindow:
        state = agent.delivery_state
        window = state.open(ClaimedWindow(agent.getLastTS(), end, self._known_up_to))
        epoch = state.mark_from(window.start)
        return DeliveryWindow(window, epoch, state.settings.parallel, self._current)

    def _settle(self, window: DeliveryWindow, shares: list[Share]) -> DeliveryWindow | None:
        """Write down that *window* is delivered; return the next one, or None at the end."""
        first = shares[0]
        return self._session.write(partial(self._close, window, first), first.collect())

    def _close(
        self, done: DeliveryWindow, share: Share, agent: PushSyncAgent
    ) -> DeliveryWindow | None:
        if share.delivery is not None and not share.is_acknowledged:
            with delivering(agent, share.delivery):
                agent.acknowledge()
        agent.delivered(done.window.end)
        agent.delivery_state.close()
        window = self._next_window(agent)
        if window is None:
            self._session.release(agent)
        return window

    def _fail(self, shares: list[Share]) -> Delivered:
        """Write down why the window is not delivered, and what of it is."""
        errors = [share.error for share in shares if share.error is not None]
        error = next((e for e in errors if not isinstance(e, Exception)), errors[0])
        if not isinstance(error, Exception | SystemExit):
            raise error
        results = shares[0].collect()

        def fail(agent: PushSyncAgent) -> None:
            agent.delivery_state.mark(results)
            _note_failure(agent.delivery_state, [error, *errors])
            self._session.release(agent)

        self._session.write(fail, results)
        log_failure(self._logger, self._agent_id, error)
        return self._failed(error)

    def _failed(self, error: BaseException) -> Delivered:
        reason = reason_of(error)
        event = DeliveryEvent(self._agent_id, nowutc(), self._session.records, reason=reason)
        REGISTRY.call("on_delivery_failed", event)
        return Delivered(FAILED, self._session.records, reason)


def _refuse_if_ahead(agent: PushSyncAgent, answer: int | AgentExecutionException | None) -> None:
    """Raise what is wrong with the target, before anything is sent to it."""
    if isinstance(answer, AgentExecutionException):
        raise answer
    furthest = agent.delivery_state.furthest
    if answer is not None and (furthest is None or answer > furthest):
        raise TargetAheadException(
            f"the target was brought up to position {answer}, and this database knows of none "
            f"beyond {furthest}: it is an older backup. Bring the target in line with "
            f"'indico_livesync agent {agent.getId()} verify --repair', or export anew"
        )


def _note_failure(state: DeliveryState, errors: list[BaseException]) -> None:
    retry_after = next((e.retry_after for e in errors if isinstance(e, Overloaded)), None)
    state.fail(reason_of(errors[0]), _now(), retry_after)
    if not any(map(is_fault_of_target, errors)) and not state.accepted:
        # The target said no to all of it: what comes in meanwhile may go with it.
        state.void()


def _now() -> float:
    return nowutc().timestamp()
