"""The undoing of a task: its changes are taken back, and the objects recorded as changed."""

from __future__ import annotations

from ZODB.Connection import Connection

from daemon.errors import DaemonException, Refusal
from livesync import SyncManager
from livesync.track.compensation import opposites
from scheduler import nowutc
from scheduler.errors import UndoRefused
from scheduler.insight.undo import Undone, undo
from scheduler.tasks import BaseTask


def take_back(connection: Connection, task: BaseTask) -> Undone:
    """Take back what the last run of *task* changed, in the current transaction.

    Raises Refusal, which names what is in the way, and DaemonException without a run on record.
    """
    try:
        done = undo(connection, task)
    except UndoRefused as error:
        raise Refusal(str(error)) from None
    except KeyError:
        raise DaemonException(
            f"no run of task {task.getId()} is on record: it has not been run, or its history "
            "was packed away"
        ) from None
    manager, timestamp = SyncManager.getDBInstance(connection), int(nowutc().timestamp())
    for action in opposites(done.entries, timestamp, done.made):
        manager.add(timestamp, action)
    return done
