"""The MultiPointerTrack and its kinds, by their documented names (reference 5)."""

from livesync.errors import EmptyTrackException
from livesync.track.list_track import ListMultiPointerTrack
from livesync.track.set_track import SetMultiPointerTrack
from livesync.track.track import MultiPointerTrack

__all__ = [
    "EmptyTrackException",
    "ListMultiPointerTrack",
    "MultiPointerTrack",
    "SetMultiPointerTrack",
]
