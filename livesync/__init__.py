"""The change feed: what changed in the database, followed by agents that push it elsewhere."""

from typing import TYPE_CHECKING

from scheduler.values.deferred_names import deferred

if TYPE_CHECKING:
    from livesync.agent import PushSyncAgent, RecordUploader, SyncAgent, SyncManager
    from livesync.track.action import ActionWrapper

__all__ = ["ActionWrapper", "PushSyncAgent", "RecordUploader", "SyncAgent", "SyncManager"]

__getattr__ = deferred(
    __name__,
    {
        **dict.fromkeys(__all__, "livesync.agent"),
        "ActionWrapper": "livesync.track.action",
    },
)
