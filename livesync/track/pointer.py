"""Pointers, and what keeps a sequencer and those who move them from missing each other."""

from __future__ import annotations

from persistent import Persistent


class Pointer(Persistent):
    """Where one follower stands: a position, or None before the oldest bin.

    Conflict behaviour: two moves of one pointer at once conflict; it is its agent's alone.
    """

    position: int | None = None


class Frontier(Persistent):
    """The newest position that anybody passed.

    Conflict behaviour: of two that move it at once the farther one counts; a sequencer, which
    holds it while it adds, conflicts.
    """

    position: int | None = None

    def _p_resolveConflict(  # noqa: N802 (ZODB's name)
        self, old: dict[str, int], committed: dict[str, int], new: dict[str, int]
    ) -> dict[str, int]:
        return {"position": max(committed["position"], new["position"])}


class Horizon(Persistent):
    """The position up to which the track is trimmed.

    Conflict behaviour: only trimmers write it; concurrent trimmers conflict and one retries.
    """

    position: int | None = None


class TrackEnd(Persistent):
    """The end of the track: how often a sequencer extended the track.

    Conflict behaviour: two sequencers conflict, and one with a frontier that moves.
    """

    extensions = 0


def hold(obj: Persistent) -> None:
    """Make the current transaction conflict if another changes *obj* meanwhile."""
    if obj._p_jar is not None:
        obj._p_activate()  # readCurrent of a ghost would check nothing
        obj._p_jar.readCurrent(obj)
