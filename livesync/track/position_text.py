"""Positions as people write them: a number, or `start`."""

from __future__ import annotations

from livesync.errors import AgentSettingException
from livesync.track.track import MultiPointerTrack

BEGINNING = "start"


def position_from_text(track: MultiPointerTrack, text: str) -> int | None:
    """Return the position that *text* names on *track*; None is before the oldest change.

    Raises AgentSettingException for any other text, EmptyTrackException for an empty track.
    """
    if text == BEGINNING:
        return None
    oldest, newest = track.oldestTS(), max(track.mostRecentTS(), track.frontier or 0)
    if not text.lstrip("-").isdecimal() or not oldest - 1 <= int(text) <= newest:
        raise AgentSettingException(
            f"there is no position {text!r}: give one from {oldest - 1} to {newest}, "
            f"or {BEGINNING!r}"
        )
    return int(text)
