"""The change feed: what changed in the database, followed by agents that push it elsewhere."""

from livesync.actions import ActionWrapper
from livesync.agent import PushSyncAgent, RecordUploader, SyncAgent, SyncManager

__all__ = ["ActionWrapper", "PushSyncAgent", "RecordUploader", "SyncAgent", "SyncManager"]
