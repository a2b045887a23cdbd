"""PushSyncAgent: the base class of agents that push records to a target (reference 4.3)."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from ZODB.Connection import Connection

from livesync.delivery.batch import BatchDelivery
from livesync.delivery.faults import RecordsNotMade, log_failure, reason_of
from livesync.delivery.senders import delivering, delivery_of
from livesync.delivery.state import DeliveryState
from livesync.errors import (
    AgentExecutionException,
    CutOffException,
    PositionGoneException,
)
from livesync.feed.agent import MissingAgent, SyncAgent
from livesync.feed.manager import SyncManager
from livesync.objects.watched_classes import table_of
from livesync.records.change_filter import EVERYTHING, ChangeFilter
from livesync.records.reduction import STATUS_DELETED, Record, reduce
from livesync.track.action import ActionWrapper
from scheduler.clock import nowutc
from scheduler.runtime.side_effects import is_held, is_holding

log = logging.getLogger(__name__)


class PushSyncAgent(SyncAgent):
    """An agent that pushes records to its target when it is run; subclasses say how.

    They override `_run`, and `_generateRecords` where the target wants something else than
    the reduced changes.
    """

    filter: ChangeFilter = EVERYTHING
    """The filter of the changes that are sent; the target deletes what leaves it.

    After another one is set, `verify --repair` brings the target in line.
    """

    _last_try: int | None = None

    def __init__(
        self, aid: str, name: str, description: str, updateTime: int, access: Any = None
    ) -> None:
        super().__init__(aid, name, description, updateTime, access)
        self._delivery_state = DeliveryState()

    @property
    def is_exporting(self) -> bool:
        """Whether a full export to its target is under way, or was interrupted."""
        return self._delivery_state.full_export is not None

    def reached(self) -> int | None:
        """Ask the target up to which position it was brought; None where it cannot tell.

        AgentExecutionException where it does not answer.
        """
        return None

    @property
    def delivery_state(self) -> DeliveryState:
        """The stored state of the delivery: failures, dead letters, settings."""
        return self._delivery_state

    def _run(
        self,
        data: Iterable[Any],
        logger: logging.Logger | None = None,
        monitor: Any = None,
        dbi: Connection | None = None,
        task: Any = None,
    ) -> Any:
        """Send *data*, the records; return something, or None if that failed."""
        raise NotImplementedError(f"{type(self).__name__} does not say how records are sent")

    def _generateRecords(
        self,
        data: Iterable[tuple[int, ActionWrapper]],
        lastTS: int | None,
        dbi: Connection | None = None,
    ) -> Iterable[Any]:
        """Turn the (position, action) pairs up to *lastTS* into records."""
        if self._manager is None:
            return reduce(data, dbi=dbi, wanted=self.filter)
        delivery = delivery_of(self)
        known = self._manager.known_up_to() if delivery is None else delivery.known_up_to
        records = reduce(data, known, dbi, self._manager.exclusion.excludes, self.filter)
        return (record for record in records if self.may_send(record))

    def may_send(self, record: Record) -> bool:
        """Say whether the object of *record* is among those of which this agent tells."""
        is_deletion = bool(record[2] & STATUS_DELETED)
        if not is_deletion and not self.filter.wants(record.kind, record[0]):
            return False
        if self._p_jar is None:
            return True
        table = table_of(self._p_jar)
        watched = table.of_kind(record.kind) or (record[0] and table.of(type(record[0])))
        return not watched or watched.agents is None or self._id in watched.agents

    def run(
        self,
        currentTS: int | None,
        logger: logging.Logger | None = None,
        monitor: Any = None,
        dbi: Connection | None = None,
        task: Any = None,
    ) -> Any:
        """Send what is new up to the last bin that is complete at *currentTS* (Unix seconds).

        With None, send everything. Returns what `_run` returned; None for any failure, which
        is logged and kept. Refused single records become dead letters.
        The pointer stays where it is until `acknowledge`. Raises AgentExecutionException only
        for an agent that is not registered.
        """
        delivery = delivery_of(self)
        if delivery is None:
            return self._run_alone(currentTS, logger, monitor, dbi, task)
        try:
            return self._send(delivery, logger, monitor, dbi, task)
        except (Exception, SystemExit) as error:  # noqa: BLE001 (whatever the agent's code does)
            delivery.error = error
            return None

    def setManager(self, manager: SyncManager | None) -> None:
        """Attach the agent to *manager*, or to its new track: no run is left to acknowledge."""
        super().setManager(manager)
        self._last_try = None
        self._delivery_state.void()

    def setActive(self, active: bool) -> None:
        """Activate or deactivate the agent; the update task runs active agents only.

        From activation on, the target may know everything that existed before.
        """
        super().setActive(active)
        if active and self._manager is not None:
            self._delivery_state.note_known(self._manager.getTrack().frontier)

    def preActivate(self, ts: int) -> None:
        """Begin at position *ts*: what is recorded from now on will be sent, nothing older."""
        super().preActivate(ts)
        self._delivery_state.note_known(self._attached().getTrack().frontier)

    def acknowledge(self) -> None:
        """Move the pointer over what the last run delivered, never back; nothing if it failed."""
        delivery = delivery_of(self)
        self.delivered(self._last_try if delivery is None else delivery.end)
        if self._last_try is not None:
            self._last_try = None

    def delivered(self, position: int | None) -> None:
        """Move the pointer to *position*, never back: everything up to there is delivered."""
        last = self.getLastTS()
        if position is not None and (last is None or last < position):
            self._attached().advance(self._id, position)

    @property
    def last_failure(self) -> tuple[datetime, str] | None:
        """When and why the agent failed; None once it has succeeded again."""
        return self._delivery_state.last_failure()

    def rewind(self, position: int | None) -> None:
        """Move the pointer to *position*, back or forth, None for before the oldest change.

        Changes behind it are delivered, again or anew; a run that is under way ends. Raises
        EmptyTrackException where there are no positions, PositionGoneException where changes
        behind *position* are not kept any more; None is the oldest position from which they are.
        """
        track = self._attached().stored_track
        horizon = track.horizon
        if position is None:
            position = horizon
        elif horizon is not None and position < horizon:
            raise PositionGoneException(
                f"what came after position {position} is not kept any more: the track is trimmed "
                f"up to {horizon}"
            )
        track.movePointer(self._id, position)
        self.cut_off = None
        self._delivery_state.void()
        self._delivery_state.end_epoch()
        self._delivery_state.lease = None
        self._last_try = None

    def claim(self, currentTS: int | None) -> int | None:
        """Return up to where a run at *currentTS* goes; nothing is added there any more.

        None stands for all that there is. Returns None where there is nothing to go to. Raises
        CutOffException.
        """
        manager = self._attached()
        reason = self._cut_off or self._why_behind()
        if reason is not None:
            raise CutOffException(
                f"agent {self._id!r} was cut off: {reason}; changes before it may be gone. "
                "Export everything to its target, then pre-activate it (agent ID activate --skip)"
            )
        if currentTS is None:
            return manager.claim()
        current = int(currentTS // manager.getGranularity())
        frontier = manager.getTrack().frontier
        if frontier is not None and frontier > current:
            # Changes were put beyond a reader who went up to the newest: those bins are closed.
            return manager.claim(frontier)
        return manager.claim(current - 1) if current > 0 else None

    def note_cut_off(self) -> None:
        """Note that the track was trimmed beyond the pointer, if it was."""
        self.cut_off = self._cut_off or self._why_behind()

    def _why_behind(self) -> str | None:
        """Return what is to be said of a pointer that the track was trimmed beyond."""
        position, horizon = self.getLastTS(), self._attached().stored_track.horizon
        if position is None or horizon is None or position >= horizon:
            return None
        return f"it stands at {position}, and the track is trimmed up to {horizon}"

    def reach(self, till: int, count: int) -> int:
        """Return up to where the next *count* changes lie, in whole bins; at most *till*."""
        return self._attached().stored_track.reach_of(self.getLastTS(), till, count)

    def preview(self, till: int | None = None) -> Iterable[Any]:
        """Return the records that a run up to position *till* would send; changes nothing."""
        data = self._attached().getTrack().pointerIterItems(self._id, till)
        return self._generateRecords(data, till)

    def _run_alone(
        self,
        currentTS: int | None,
        logger: logging.Logger | None,
        monitor: Any,
        dbi: Connection | None,
        task: Any,
    ) -> Any:
        """Run in the caller's transaction, which keeps what it comes to."""
        self._attached()
        state, began = self._delivery_state, nowutc().timestamp()
        try:
            delivery = self._delivery(currentTS)
            with delivering(self, delivery):
                result = self._send(delivery, logger, monitor, dbi, task)
        except (Exception, SystemExit) as error:  # noqa: BLE001 (whatever the agent's code does)
            self._last_try = None
            log_failure(logger or log, self._id, error)
            state.fail(reason_of(error), nowutc().timestamp())
            return None
        finally:
            # Not before: a claim is a transaction of its own while nothing has changed yet.
            state.ran_at = began
        state.close()
        state.enter(delivery.collect(), nowutc().timestamp())
        self._last_try = delivery.end
        return result

    def _delivery(self, currentTS: int | None) -> BatchDelivery:
        known = self._attached().known_up_to()
        # Claim the range before reading it, so that no later change is placed in it.
        end = self.claim(currentTS)
        epoch = self._delivery_state.mark_from(self.getLastTS())
        now = nowutc().timestamp()
        return BatchDelivery(self._delivery_state, now, end=end, known_up_to=known, epoch=epoch)

    def _send(
        self,
        delivery: BatchDelivery,
        logger: logging.Logger | None,
        monitor: Any,
        dbi: Connection | None,
        task: Any,
    ) -> Any:
        def make(changes: Iterable[tuple[int, ActionWrapper]]) -> Iterable[Any]:
            return self._generateRecords(changes, delivery.end, dbi=dbi)

        def send() -> Any:
            records = delivery.records(
                lambda: make(delivery.changes(self._pending_changes(delivery.end)))
            )
            if is_holding():
                is_held("records", f"{sum(1 for _ in records)} to agent {self._id}")
                return True
            return self._run(records, logger=logger, monitor=monitor, dbi=dbi, task=task)

        try:
            result = send()
        except RecordsNotMade:
            if not delivery.sieve(self._pending_changes(delivery.end), make):
                raise  # no single change is at fault
            result = send()
        if result is None:
            raise AgentExecutionException("the run reported a failure, without saying which")
        delivery.end_well()
        return result

    def _pending_changes(self, covered: int | None) -> Iterator[tuple[int, ActionWrapper]]:
        if covered is None:
            return iter(())
        return self._attached().stored_track.pointerIterItems(self._id, covered)


def push_agent(connection: Connection, agent_id: str) -> PushSyncAgent:
    """Return the agent; raises UnknownAgentException, and AgentExecutionException if it is no such.

    An agent that does not push has no deliveries.
    """
    agent = SyncManager.getDBInstance(connection).getAgent(agent_id)
    if isinstance(agent, MissingAgent):
        raise AgentExecutionException(agent.complaint)
    if not isinstance(agent, PushSyncAgent):
        raise AgentExecutionException(f"agent {agent_id!r} does not push records: it cannot be run")
    return agent
