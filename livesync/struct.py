"""The MultiPointerTrack, by its documented name (reference 5)."""

from livesync.track.track import (
    EmptyTrackException,
    ListMultiPointerTrack,
    MultiPointerTrack,
    SetMultiPointerTrack,
)

__all__ = [
    "EmptyTrackException",
    "ListMultiPointerTrack",
    "MultiPointerTrack",
    "SetMultiPointerTrack",
]
