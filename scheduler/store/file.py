"""The file of the embedded database: the disk may be full, and the process may be killed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ZODB.FileStorage.FileStorage import FileStorage


class EmbeddedStorage(FileStorage):
    """A FileStorage that a failed write leaves as it was, and that tells of what it has only.

    ZODB's own cuts the file back through the very buffer that could not be written. When that
    fails as well, what was written of the transaction is read as if it had been committed. And it
    tells everybody of a transaction before that is on the disk: where it is killed in between,
    they are ahead of whoever opens the file next, and cannot join him.
    """

    _file: Any
    _tell: Callable[[bytes], None] | None = None

    def tpc_vote(self, transaction: Any) -> Any:
        """Write the transaction; OSError where there is no room for it."""
        with self._lock:
            try:
                return super().tpc_vote(transaction)
            except OSError:
                self._forget_buffers()
                raise

    def tpc_finish(self, transaction: Any, f: Callable[[bytes], None] | None = None) -> Any:
        """Commit *transaction*, and then call *f*, before anybody can read what is new."""
        if transaction is self._transaction:
            self._tell = f
        return super().tpc_finish(transaction)

    def _finish(self, tid: bytes, *description: Any) -> None:
        super()._finish(tid, *description)
        if self._tell is not None:
            self._tell(tid)

    def _forget_buffers(self) -> None:
        self._file.raw.truncate(self._pos)
        self._file.raw.close()  # not the buffered one: that would write again
        self._file = open(self._file_name, "r+b")  # noqa: SIM115 (the storage closes it)
        self._files.flush()
