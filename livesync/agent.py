"""Manager, agents and uploader, by their documented names (reference 5)."""

from livesync.delivery.push_agent import PushSyncAgent
from livesync.delivery.uploader import RecordUploader
from livesync.errors import AgentExecutionException, QueryException
from livesync.feed.agent import SyncAgent
from livesync.feed.manager import SyncManager

__all__ = [
    "AgentExecutionException",
    "PushSyncAgent",
    "QueryException",
    "RecordUploader",
    "SyncAgent",
    "SyncManager",
]
