"""RecordUploader: it takes records one by one and uploads them batch by batch."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from itertools import islice
from typing import TYPE_CHECKING, Any

from ZODB.Connection import Connection

from livesync.delivery.senders import delivery_of

if TYPE_CHECKING:
    from livesync.feed.agent import SyncAgent

log = logging.getLogger(__name__)


class RecordUploader:
    """Uploads records in batches of *batchSize* (reference 4.5); subclasses say how.

    *logger* may be None. In a run of its agent, what single records make `_uploadBatch` raise
    keeps only those back (`livesync.delivery.batch`). A batch that fails otherwise ends the upload
    with the exception; the batches before it have been delivered by then.
    """

    def __init__(
        self, logger: logging.Logger | None, agent: SyncAgent, batchSize: int = 1000
    ) -> None:
        if batchSize < 1:
            raise ValueError(f"batchSize is {batchSize!r}: a batch holds at least one record")
        self._logger = logger or log
        self._agent = agent
        self._batch_size = batchSize

    def _uploadBatch(self, batch: list[Any]) -> None:
        """Upload the records of *batch*; raise if the target did not take them all.

        PartialFailure says which it will never take, Overloaded that it wants all of them
        later. After any other exception the batch may be sent again in parts.
        """
        raise NotImplementedError(f"{type(self).__name__} does not say how a batch is uploaded")

    def iterateOver(self, iterator: Iterable[Any], dbi: Connection | None = None) -> bool:
        """Upload all records of *iterator*; return True, also when there were none.

        With *dbi* its cache is trimmed after every batch. Changed objects stay in it.
        """
        records = iter(iterator)
        delivery = delivery_of(self._agent)
        while batch := list(islice(records, self._batch_size)):
            if delivery is None:
                self._uploadBatch(batch)
            else:
                delivery.send(batch, self._uploadBatch)
            self._logger.info("%s sent %d records", type(self).__name__, len(batch))
            if dbi is not None:
                dbi.cacheGC()
        return True
