"""A disk that tells how much of a data file it has, should the power be cut."""

from __future__ import annotations

import os
import threading

from scheduler.storage import embedded_file


class Disk:
    """Notes how much of *file* is synced, by looking over the shoulder of the calls that sync."""

    def __init__(self, file, monkeypatch):
        self._file = file
        self._fsync, self._fdatasync = os.fsync, embedded_file.fdatasync
        self.lock = threading.Lock()
        self.synced = self.syncs = 0
        self.others = set()
        """The other files and folders that were synced, by their paths."""
        monkeypatch.setattr(os, "fsync", lambda each: self._sync(each, self._fsync))
        monkeypatch.setattr(
            embedded_file, "fdatasync", lambda each: self._sync(each, self._fdatasync)
        )

    def size(self):
        return self._file.stat().st_size

    def _sync(self, descriptor, sync):
        path = os.readlink(f"/proc/self/fd/{descriptor}")
        size = self.size() if self._file.exists() else 0
        sync(descriptor)
        if path == str(self._file):
            self.synced, self.syncs = max(self.synced, size), self.syncs + 1
        else:
            self.others.add(path)
