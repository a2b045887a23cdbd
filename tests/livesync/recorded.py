"""The changes that a database has recorded."""

from __future__ import annotations

from livesync import SyncManager


def recorded(connection):
    """Return the ids and actions of all changes, sorted."""
    connection.transaction_manager.abort()
    track = SyncManager.getDBInstance(connection).getTrack()
    return sorted((str(one.getObjectId()), *sorted(one.getActions())) for _, one in track)


def kinds(connection):
    return {action.kind for _, action in SyncManager.getDBInstance(connection).getTrack()}
