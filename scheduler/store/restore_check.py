"""The restore check: notices that a database in use was restored to an earlier state."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from persistent.TimeStamp import TimeStamp
from ZEO.ClientStorage import ClientStorage
from ZODB.mvccadapter import MVCCAdapter
from ZODB.POSException import POSKeyError
from ZODB.utils import p64, u64, z64

from scheduler.storage.internals import client_of, forget_last_seen, join_readers, shared_storage

if TYPE_CHECKING:
    from scheduler.store.database import Database

log = logging.getLogger(__name__)


class RestoreCheck:
    """Keeps the last transaction of *database*, and looks for it when its server is back.

    A server that was restored from a backup does not have it. The caches of clients then hold
    states that never were; ZEO by itself either refuses the server for ever, or mixes both.
    """

    def __init__(self, database: Database, storage: ClientStorage) -> None:
        self._database = database
        self._client = client_of(storage)
        self._last = (z64, z64)
        self._verify = self._client.verify
        self._client.verify = self._look_and_verify
        join_readers(shared_storage(database), self)

    def _invalidate(self, tid: bytes, oids: Iterable[bytes]) -> None:
        for oid in oids:
            self._last = (tid, oid)
            return

    def _invalidateCache(self) -> None:  # noqa: N802 (the reader's interface)
        """Nothing is kept."""

    async def _look_and_verify(self, server_tid: bytes | None) -> None:
        # Called in the client's thread, with each new connection.
        protocol = self._client.protocol
        try:
            newest = server_tid or await protocol.server_call("lastTransaction")
            if await self._is_lost(protocol, newest):
                self._forget(newest)
        except Exception as error:  # noqa: BLE001 (as ZEO does: it tries again)
            del self._client.protocol
            self._client.register_failed(protocol, error)
        else:
            await self._verify(newest)

    async def _is_lost(self, protocol: Any, newest: bytes) -> bool:
        tid, oid = self._last
        if max(tid, self._client.cache.getLastTid()) > newest:
            return True
        if tid == z64:
            return False
        try:
            found = await protocol.server_call("loadBefore", oid, p64(u64(tid) + 1))
        except POSKeyError:
            return True
        return found is None or found[1] != tid

    def _forget(self, newest: bytes) -> None:
        last = max(self._last[0], self._client.cache.getLastTid())
        self._client.cache.clear()
        self._last = (z64, z64)
        forget(self._database, last, newest)


def forget(database: Database, last: bytes, newest: bytes) -> None:
    """Drop what *database* knows of transactions up to *last*: it ends with *newest* now."""
    log.warning(
        "database restored to an earlier state: its last transaction is that of %s, "
        "that of %s is missing; caches dropped",
        TimeStamp(newest),
        TimeStamp(last),
    )
    readers = shared_storage(database)
    if isinstance(readers, MVCCAdapter):  # RelStorage drops what its readers know by itself
        forget_last_seen(readers)
    database.epoch += 1
