"""The trimmer removes changes by the retention policy, and cuts off agents too far behind."""

from __future__ import annotations

import logging
import math
from datetime import timedelta
from weakref import WeakKeyDictionary

from ZODB import DB
from ZODB.Connection import Connection

from livesync.feed.agent import SyncAgent
from livesync.feed.manager import SyncManager
from livesync.track import journal
from livesync.track.action import ActionWrapper
from livesync.track.retention_policy import DAY
from scheduler.clock import nowutc
from scheduler.store import transact
from scheduler.store.position import number_at

log = logging.getLogger(__name__)

REMOVED_AT_ONCE = 1000
# Seconds between two looks of a process at the track.
TRIM_EVERY = 600

# When this process looked at a database, in Unix seconds: stored, that would be a commit each time.
_looked: WeakKeyDictionary[DB, float] = WeakKeyDictionary()


def trim_if_due(database: DB) -> int:
    """Trim the track of *database*, unless that was done lately; return how much is gone."""
    now = nowutc().timestamp()
    if now - _looked.get(database, -math.inf) < TRIM_EVERY:
        return 0
    _looked[database] = now
    return trim(database)


def trim(database: DB) -> int:
    """Drop what need not be kept, and cut off agents that are too far behind.

    Returns how many changes are gone. In small commits, which conflict with nobody who records.
    """
    removed = 0
    horizon = transact(database, _decide, note="livesync: trim")
    while horizon is not None:
        count = transact(database, lambda own: _remove(own, horizon), note="livesync: trim")
        if count == 0:
            break
        removed += count
    _trim_journal(database)
    return removed


def _trim_journal(database: DB) -> None:
    """Drop of the journal what is older than changes are kept, and what is too much."""
    with database.transaction() as connection:
        retention = SyncManager.getDBInstance(connection).retention
        kept = journal.SCHEMA.get(connection)
        old = number_at(nowutc() - timedelta(seconds=retention.keep))
        horizon = max(old, kept.excess(retention.most) or 0)
        is_due = next(kept.behind(0), (horizon + 1, ()))[0] <= horizon

    def trim_some(own: Connection) -> int:
        return journal.SCHEMA.get(own).trim(horizon, REMOVED_AT_ONCE)

    while is_due:
        is_due = transact(database, trim_some, note="livesync: trim") == REMOVED_AT_ONCE


def _decide(connection: Connection) -> int | None:
    """Cut off who is too far behind; return up to where something is that nobody needs."""
    manager = SyncManager.getDBInstance(connection)
    manager.sequence()
    track, retention, now = manager.stored_track, manager.retention, nowutc().timestamp()
    too_many = _too_many(manager)
    ends = [] if too_many is None else [too_many]
    old = int((now - retention.keep) // manager.getGranularity())
    waited_for: list[int | None] = []
    for agent in manager.agents():
        if agent.cut_off is None:
            reason = _why_cut_off(manager, agent, too_many, now)
            if reason is None:
                waited_for.append(agent.getLastTS())
            else:
                log.error("agent %s is cut off: %s", agent.getId(), reason)
                agent.cut_off = reason
    reached = [position for position in waited_for if position is not None]
    if len(reached) == len(waited_for):
        ends.append(min([old, *reached]))
    oldest = track.next_after(None)
    horizon = max(ends, default=None)
    if horizon is None or oldest is None or oldest > horizon:
        return None
    track.note_trimming(horizon)
    return horizon


def _too_many(manager: SyncManager) -> int | None:
    """Return up to where the oldest changes are too many; None if there are not."""
    track = manager.stored_track
    excess = track.size() - manager.retention.most
    newest = track.last_before(None)
    return None if excess <= 0 or newest is None else track.reach_of(None, newest, excess)


def _why_cut_off(
    manager: SyncManager, agent: SyncAgent, too_many: int | None, now: float
) -> str | None:
    position = agent.getLastTS()
    oldest = manager.stored_track.next_after(position)
    if oldest is None:
        return None
    if too_many is not None and oldest <= too_many:
        return f"there were more than {manager.retention.most:,} changes on the track"
    age = now - made_at(manager, oldest)
    if age > manager.retention.cut_off:
        return f"the oldest change before it was {age / DAY:.1f} days old"
    return None


def made_at(manager: SyncManager, position: int) -> float:
    """Return when the oldest change at *position* was made, in Unix seconds."""
    begin = position * manager.getGranularity()
    times = (
        action.timestamp if isinstance(action, ActionWrapper) else begin
        for action in manager.stored_track[position]
    )
    return min(times, default=begin)


def _remove(connection: Connection, horizon: int) -> int:
    return SyncManager.getDBInstance(connection).stored_track.trim(horizon, REMOVED_AT_ONCE)
