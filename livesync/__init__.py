"""The change feed: what changed in the database, followed by agents that push it elsewhere."""

from livesync.agent import PushSyncAgent, RecordUploader, SyncAgent, SyncManager
from livesync.track.action import ActionWrapper

__all__ = ["ActionWrapper", "PushSyncAgent", "RecordUploader", "SyncAgent", "SyncManager"]
