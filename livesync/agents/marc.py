"""MarcAgent: the base of agents that upload MARCXML over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from livesync.agents.http import HttpAgent, HttpTarget
from livesync.agents.target import Items, Send
from livesync.records.marcxml import collected, record_xml
from livesync.records.reduction import Record


class MarcAgent(HttpAgent):
    """Uploads batches of records in MARCXML; subclasses override `_upload`."""

    @property
    def tells_of_owners(self) -> bool:
        """Whether the records of parts tell of their owners: those in MARCXML do."""
        return True

    def _prepare(self, record: Record) -> bytes:
        return record_xml(record, self._access)

    @contextmanager
    def _sender(self) -> Iterator[Send]:
        with self._connected() as target:
            yield partial(self._send_items, target)

    def _send_items(self, target: HttpTarget, items: Items) -> None:
        self._upload(target, collected([item.content for item in items]), len(items))

    def _upload(self, target: HttpTarget, marcxml: bytes, number: int) -> None:
        """Upload *marcxml*, which has so many records; raise what a failed batch raises."""
        raise NotImplementedError(f"{type(self).__name__} does not say how MARCXML is uploaded")
