"""The sequencer: it orders recorded changes into the track, behind no pointer.

A change is stamped when it is made and seen when its transaction commits, perhaps long
after an agent has read past that time. So recording only appends to lanes; from there the
changes go into the track at their bin, or at the first bin that nobody has passed yet.
"""

from __future__ import annotations

from typing import Any

from livesync.track.action import recorded
from livesync.track.track import MultiPointerTrack
from scheduler.log.append_log import AppendLog


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


def sequence(lanes: AppendLog, track: MultiPointerTrack, limit: int | None = None) -> int:
    """Move pending entries, at most *limit*, into *track*; return how many.

    One unit of work: it conflicts with another of its kind, and with a frontier that moves.
    """
    entries = lanes.drain(limit)
    if entries:
        track.extend()
    for entry in entries:
        place(track, *recorded(entry))
    return len(entries)
