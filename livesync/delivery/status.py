"""The status of agents: position, lag, failures, for people and for programs."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from livesync.delivery.push_agent import PushSyncAgent
from livesync.feed.agent import MissingAgent, SyncAgent
from livesync.feed.manager import SyncManager
from livesync.feed.trimmer import made_at
from scheduler.clock import nowutc

REGISTERED, RECORDING, EXPORTING, ACTIVE = "registered", "recording", "exporting", "active"
PAUSED, FAILING, CUT_OFF, MISSING = "paused", "failing", "cut off", "missing"
NOT_RUN = "not run"
MINUTE = 60


@dataclass(frozen=True)
class AgentStatus:
    """The status of one agent; dates are in UTC."""

    id: str
    name: str
    type: str
    state: str
    """registered, recording, exporting, active, not run, paused, failing, cut off, or missing.

    An active agent is *not run* where a change has waited for it for twice the time after which
    it should be run (of a bin, if nobody has run it yet), and nobody has since.
    """

    position: int | None
    lag_records: int
    """How many changes it has before it."""

    lag_seconds: float
    """How old the oldest of them is."""

    waiting: int = 0
    """Number of refused records that will be sent again."""

    dead: int = 0
    """Number of dead letters."""

    delivered: int = 0
    """How many records its target has taken, ever."""

    retries: int = 0
    """How many runs failed, ever."""

    batch_seconds: float = 0
    """How long the last batch took."""

    batches: int = 0
    """How many batches its target has taken, ever."""

    batches_seconds: float = 0
    """How long all of them took together."""

    last_run: datetime | None = None
    """When it was run last; None if nobody has run it yet."""

    filter: str = ""
    """The filter of the changes that are sent; empty for all."""

    delivered_at: datetime | None = None
    next_try: datetime | None = None
    last_error: str | None = None
    last_error_at: datetime | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return all of it by name."""
        return asdict(self)


def statuses_of(manager: SyncManager) -> list[AgentStatus]:
    """Return the status of every agent of *manager*, by id."""
    manager.sequence()
    return [status_of(agent, manager) for agent in manager.agents()]


def status_of(agent: SyncAgent, manager: SyncManager) -> AgentStatus:
    """Return the status of *agent*, with regard to the track."""
    now = nowutc().timestamp()
    position = agent.getLastTS()
    records, oldest = _before(manager, position)
    lag = 0 if oldest is None else max(0, now - oldest)
    kind = f"{type(agent).__module__}:{type(agent).__qualname__}"
    state = _state(agent)
    if state == ACTIVE and isinstance(agent, PushSyncAgent) and oldest is not None:
        state = NOT_RUN if _is_overdue(agent, manager, oldest, now) else ACTIVE
    common = (agent.getId(), agent.getName(), kind, state, position, records, lag)
    if isinstance(agent, MissingAgent):
        return AgentStatus(*common, last_error=agent.complaint)
    if not isinstance(agent, PushSyncAgent):
        return AgentStatus(*common)
    delivery = agent.delivery_state
    dead = sum(1 for _ in delivery.dead_letters.dead())
    failed_at, error = agent.last_failure or (None, None)
    return AgentStatus(
        *common,
        waiting=len(delivery.dead_letters) - dead,
        dead=dead,
        delivered=delivery.delivered,
        retries=delivery.retries,
        batch_seconds=delivery.seconds,
        batches=delivery.batches,
        batches_seconds=delivery.batches_seconds,
        filter=str(agent.filter),
        last_run=_date(delivery.ran_at),
        delivered_at=_date(delivery.delivered_at),
        next_try=_date(delivery.not_before) if delivery.not_before > now else None,
        last_error=agent.cut_off or error,
        last_error_at=failed_at,
    )


def _before(manager: SyncManager, position: int | None) -> tuple[int, float | None]:
    """Return how many changes lie behind *position*, and when the oldest of them was made."""
    track = manager.getTrack()
    oldest = track.next_after(position)
    if oldest is None:
        return 0, None
    return track.size(position), made_at(manager, oldest)


def _is_overdue(agent: PushSyncAgent, manager: SyncManager, oldest: float, now: float) -> bool:
    """Say whether nobody seems to run *agent*, for which a change waits since *oldest*."""
    ran_at = agent.delivery_state.ran_at
    if ran_at is None:
        return now - oldest > 2 * manager.getGranularity()
    return now - max(ran_at, oldest) > 2 * agent.update_time * MINUTE


def _state(agent: SyncAgent) -> str:
    if isinstance(agent, MissingAgent):
        return MISSING
    if agent.is_exporting:
        return EXPORTING
    if agent.cut_off is not None:
        return CUT_OFF
    if not agent.isActive():
        return RECORDING if agent.isRecording() else REGISTERED
    if isinstance(agent, PushSyncAgent):
        if agent.delivery_state.paused:
            return PAUSED
        if agent.delivery_state.failures:
            return FAILING
    return ACTIVE


def _date(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
