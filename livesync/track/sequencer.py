"""The sequencer: it orders recorded changes into the track, behind no pointer.

A change is stamped when it is made and seen when its transaction commits, perhaps long
after an agent has read past that time. So recording only appends to the log; from there the
changes go into the track at their bin, or at the first bin that nobody has passed yet.
"""

from __future__ import annotations

import logging
from typing import Any

from ZODB.utils import u64

from livesync.track.action import ActionWrapper, recorded
from livesync.track.journal import Journal
from livesync.track.track import MultiPointerTrack
from scheduler.log.append_log import AppendLog, Committed
from scheduler.log.segment import UnreadablePage

log = logging.getLogger(__name__)


def place(track: MultiPointerTrack, position: int, action: Any) -> int:
    """Put *action* into the bin at *position*, or a later one; return where it went.

    It goes beyond the track's frontier, and into no bin with whose elements it cannot be
    compared: nothing is refused here, where it would stand in the way of all others.
    """
    if track.frontier is not None:
        position = max(position, track.frontier + 1)
    while True:
        try:
            track.add(position, action)
        except TypeError:
            position += 1
        else:
            return position


def sequence(
    changes: AppendLog, track: MultiPointerTrack, journal: Journal | None, limit: int | None = None
) -> int:
    """Move pending entries, at most *limit*, into *track* and *journal*; return how many.

    One unit of work: it conflicts with another of its kind, and with a frontier that moves.
    A page that cannot be read is passed over.
    """
    entries = _drained(changes, limit)
    if entries:
        track.extend()
        if journal is not None:
            journal.put(entries, is_first=track.is_empty() and track.frontier is None)
    for tid, entry in entries:
        position, action = recorded(entry)
        if isinstance(action, ActionWrapper):
            action.tid = tid
        place(track, position, action)
    return len(entries)


def _drained(changes: AppendLog, limit: int | None) -> list[Committed]:
    while True:
        try:
            return changes.drain_committed(limit)
        except UnreadablePage as lost:
            _pass_over(changes, lost)


def _pass_over(changes: AppendLog, lost: UnreadablePage) -> None:
    changes.skip(lost)
    log.error(
        "recorded changes are lost, up to %d: object %#x cannot be read; bring each agent's "
        "target in line with `indico_livesync agent ID verify --repair`",
        *(lost.last + 1 - lost.first, u64(lost.page._p_oid)),
    )
