"""The transactions of a file that others append to meanwhile."""

from __future__ import annotations

import os
from typing import Any

from ZODB.FileStorage import FileIterator

FIRST = 4
"""Where the first transaction of a file begins."""


class TransactionIterator(FileIterator):
    """The transactions from *start* to *stop* of the open *file*, up to its place *end*.

    ZODB's own goes by the size of the file, and fails where half a transaction is written. Raises
    FileReplaced where a pack has put another file in its place.
    """

    def __init__(self, file: Any, start: bytes | None, stop: bytes | None, end: int) -> None:
        super().__init__(file.name, None, stop)
        if not os.path.samestat(os.fstat(self._file.fileno()), os.fstat(file.fileno())):
            self.close()
            raise FileReplaced(file.name)
        self._start, self._file_size = start, end
        if start and end > FIRST:
            self._skip_to_start(start)

    def __next__(self) -> Any:
        if self._file is not None and self._pos >= self._file_size:
            self.close()
            raise StopIteration
        return super().__next__()


class FileReplaced(Exception):  # noqa: N818 (no error: one looks again)
    """Another file has the name of this one now."""
