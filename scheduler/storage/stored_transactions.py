"""The transactions that a storage keeps, read while others commit."""

from __future__ import annotations

import time
from collections.abc import Generator
from typing import Any

from ZEO.Exceptions import ServerException
from ZODB.FileStorage.format import CorruptedDataError, CorruptedError
from ZODB.utils import p64, u64, z64

from scheduler.errors import UnfinishedCommit

PATIENCE = 10.0
"""How long, in seconds, the end of a commit is waited for that stands half in the file."""

FIRST_PAUSE, LONGEST_PAUSE = 0.01, 0.5
# ZODB raises these where it takes half a commit for a whole one; a server tells of them by name.
_FAULTS = (AttributeError, ValueError, CorruptedError)
_NAMES = {
    f"{kind.__module__}.{kind.__name__}"
    for kind in (*_FAULTS, UnicodeDecodeError, CorruptedDataError)
}


def stored_transactions(
    storage: Any, start: bytes = z64, stop: bytes | None = None
) -> Generator[Any, None, None]:
    """Yield the transactions of *storage* from *start* to *stop*, the oldest first.

    ZODB's iterator, also that of a ZEO server, goes by the size of the file, and fails where half
    a commit stands at its end. It is begun anew then, behind what was told already. Raises
    UnfinishedCommit where that half stays, and what the storage raises otherwise.
    """
    reading = _Reading(storage, start, stop)
    try:
        while (found := reading.following()) is not None:
            yield found
    finally:
        reading.close()


class _Reading:
    """The reading of a storage, transaction by transaction."""

    def __init__(self, storage: Any, start: bytes, stop: bytes | None) -> None:
        self._storage = storage
        self._start, self._stop = start, stop
        self._iterator: Any = None

    def following(self) -> Any:
        """Return the next transaction; None behind the last one."""
        deadline, pause = time.monotonic() + PATIENCE, FIRST_PAUSE
        while True:
            try:
                return self._following()
            except (*_FAULTS, ServerException) as error:
                if isinstance(error, ServerException) and error.args[0] not in _NAMES:
                    raise
                self.close()
                if time.monotonic() > deadline:
                    raise UnfinishedCommit(
                        f"{self._storage.getName()} has half a commit at its end, so that its "
                        f"transactions cannot be read: {error}; the next commit cuts that off"
                    ) from error
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    def _following(self) -> Any:
        if self._iterator is None:
            self._iterator = iter(self._storage.iterator(self._start, self._stop))
        found = next(self._iterator, None)
        if found is not None:
            self._start = p64(u64(found.tid) + 1)
        return found

    def close(self) -> None:
        """Close what the storage has opened for this."""
        getattr(self._iterator, "close", lambda: None)()
        self._iterator = None
