"""The file of the embedded database, on a disk that may be full."""

from __future__ import annotations

from typing import Any

from ZODB.FileStorage.FileStorage import FileStorage


class EmbeddedStorage(FileStorage):
    """A FileStorage that a failed write leaves as it was.

    ZODB's own cuts the file back through the very buffer that could not be written. When that
    fails as well, what was written of the transaction is read as if it had been committed.
    """

    _file: Any

    def tpc_vote(self, transaction: Any) -> Any:
        """Write the transaction; OSError where there is no room for it."""
        with self._lock:
            try:
                return super().tpc_vote(transaction)
            except OSError:
                self._forget_buffers()
                raise

    def _forget_buffers(self) -> None:
        self._file.raw.truncate(self._pos)
        self._file.raw.close()  # not the buffered one: that would write again
        self._file = open(self._file_name, "r+b")  # noqa: SIM115 (the storage closes it)
        self._files.flush()
