"""A subscription to the track: changes as they are added, without a pointer."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from ZODB.Connection import Connection

from livesync.feed.manager import SyncManager
from livesync.track.action import commit_of
from scheduler.store.commit_signal import CommitSignal

LONGEST_SLEEP = 1.0
# Many commits in a short time are looked at together.
REST_SECONDS = 0.05


class Subscription:
    """The changes that are added to the track behind position *behind*, each once.

    Those of one bin come in the order of commits.

    It looks on without closing any bin, so it moves nothing; what may still be added to is
    remembered by element.
    """

    def __init__(self, connection: Connection, behind: int | None) -> None:
        self._connection = connection
        self._behind = behind
        self._seen: set[tuple[int, Any]] = set()
        self._wake = CommitSignal(connection.db())
        self.is_stopped = False

    def pass_over(self) -> None:
        """Take everything that is there as known."""
        for _ in self.changes():
            pass

    def changes(self) -> Iterator[tuple[int, Any]]:
        """Yield the (position, element) pairs that are new, oldest first."""
        manager = SyncManager.getDBInstance(self._connection)
        track = manager.getTrack()
        position = track.next_after(self._behind)
        while position is not None:
            for element in sorted(track[position], key=commit_of):
                if (position, element) not in self._seen:
                    self._seen.add((position, element))
                    yield position, element
            position = track.next_after(position)
        self._forget(track.frontier)

    def wait(self) -> None:
        """Wait until something is committed, or for a second."""
        self._wake.wait(LONGEST_SLEEP)
        time.sleep(REST_SECONDS)
        self._connection.sync()

    def stop(self) -> None:
        """End the waiting for good, from another thread."""
        self.is_stopped = True
        self._wake.set()

    def close(self) -> None:
        """Stop looking."""
        self._wake.close()

    def _forget(self, frontier: int | None) -> None:
        """Pass over the bins to which nothing can be added any more."""
        if frontier is not None and (self._behind is None or frontier > self._behind):
            self._behind = frontier
            self._seen = {item for item in self._seen if item[0] > frontier}
