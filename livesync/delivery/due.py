"""The rule by which an agent is due, for the dispatcher of deliveries and for the update task."""

from __future__ import annotations

import math
from itertools import islice

from livesync.delivery.push_agent import PushSyncAgent
from livesync.feed.manager import SyncManager

# Seconds between two looks at an agent that waits for more changes to go with the first.
LINGER_SECONDS = 1.0


def until_due(agent: PushSyncAgent, manager: SyncManager, now: float) -> float:
    """Return in how many seconds *agent* may be delivered to, whether or not there is news.

    0 stands for now, infinity for an agent that waits for a command: it is inactive, paused or
    cut off, or its full export was interrupted. *now* is in Unix seconds.
    """
    state = agent.delivery_state
    is_at_rest = state.paused or state.full_export is not None or agent.cut_off is not None
    if is_at_rest or not agent.isActive():
        return math.inf
    if state.not_before > now:
        return state.not_before - now
    return LINGER_SECONDS if _lingers(agent, manager, now) else 0


def until_changes(agent: PushSyncAgent, manager: SyncManager, now: float) -> float:
    """Return in how many seconds there is something to send to *agent*; infinity for nothing.

    A change is there when its bin has begun, a refused record when its next try is due.
    """
    if agent.delivery_state.dead_letters.due(now):
        return 0
    newest, pointer = manager.getTrack().last_before(None), agent.getLastTS()
    if newest is None or (pointer is not None and pointer >= newest):
        return math.inf
    return max(0.0, newest * manager.getGranularity() - now)


def _lingers(agent: PushSyncAgent, manager: SyncManager, now: float) -> bool:
    """Say whether the news for *agent* waits for more to go with it."""
    settings, position = agent.delivery_state.settings, agent.getLastTS()
    if settings.linger == 0 or agent.delivery_state.dead_letters.due(now):
        return False
    track = manager.getTrack()
    oldest = track.next_after(position)
    if oldest is None or now - oldest * manager.getGranularity() >= settings.linger:
        return False
    return sum(1 for _ in islice(track.iterate(position), settings.enough)) < settings.enough
