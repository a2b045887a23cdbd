"""Readers of the data file, which other processes extend and replace."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ZODB.FileStorage.FileStorage import FilePool


class PositionedFile:
    """A reading end of an open file with a position of its own, and no buffer.

    Buffered bytes behind the last transaction may be those of a commit that came to nothing.
    """

    def __init__(self, file: Any) -> None:
        self._file = file  # keeps the descriptor open
        self._descriptor = file.fileno()
        self._position = 0

    def seek(self, position: int) -> None:
        """Go to *position*, counted from the start."""
        self._position = position

    def tell(self) -> int:
        """Return the position."""
        return self._position

    def read(self, count: int) -> bytes:
        """Return the next *count* bytes, less at the end of the file."""
        found = os.pread(self._descriptor, count, self._position)
        self._position += len(found)
        return found

    def close(self) -> None:
        """Leave the file open to the others."""


class Readers(FilePool):
    """The readers of the file that *opened* returns; none of them reads while it changes."""

    def __init__(self, opened: Callable[[], Any]) -> None:
        super().__init__("")
        self._opened = opened

    @contextmanager
    def get(self) -> Iterator[PositionedFile]:
        """Lend a reader."""
        with self._cond:
            while self.writers:
                self._cond.wait()
            if self.closed:
                raise ValueError("closed")
            reader = PositionedFile(self._opened())
            self._out.append(reader)
        try:
            yield reader
        finally:
            self._out.remove(reader)
            if not self._out:
                with self._cond:
                    if self.writers and not self._out:
                        self._cond.notify_all()

    def flush(self) -> None:
        """Do nothing: there are no buffers to empty.

        It is called under the storage's lock, for which a thread that has `write_lock` waits.
        """
