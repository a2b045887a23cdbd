"""TargetAgent: the common base of all agents that send batches of records to a target."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, ClassVar

from transaction.interfaces import TransientError
from ZODB.broken import Broken
from ZODB.Connection import Connection
from ZODB.POSException import StorageError

from livesync.delivery.push_agent import PushSyncAgent
from livesync.delivery.uploader import RecordUploader
from livesync.errors import AgentExecutionException, PartialFailure
from livesync.objects.object_model import NOTHING
from livesync.records.document import (
    Document,
    document,
    json_bytes,
    key_of,
    present,
    state_in,
    well_formed,
)
from livesync.records.marc.parts import with_parts
from livesync.records.reduction import STATUS_DELETED, Record, identity_of, kind_in
from livesync.track.action import ActionWrapper
from scheduler.store.encryption import resealed
from scheduler.store.position import token_of

MEGABYTE = 2**20


@dataclass(frozen=True, slots=True)
class TargetItem:
    """One record as it goes to a target: plain data, for any thread."""

    key: str
    """The same whenever the record is sent again; a target may ignore one that it has had."""
    obj_id: str
    is_deleted: bool
    position: int | None
    content: bytes
    kind: str = NOTHING

    @property
    def identity(self) -> str:
        """The unique name of the object: its id, outside the catalogue after its kind."""
        return identity_of(self.kind, self.obj_id)


Items = list[TargetItem]
Send = Callable[[Items], None]


class TargetAgent(PushSyncAgent):
    """Sends the changes in batches of at most *batch_size* records; subclasses say how.

    They override `_sender`, and `_prepare` where the target takes something else than JSON.
    *access* is the id of the user (or the user) with whose eyes the target sees; None sees what
    is public. For an object that the target may not see, it receives only the id and
    `"restricted": true`.
    """

    LARGEST_RECORD = 10 * MEGABYTE
    """A record with more bytes is refused."""
    LARGEST_UPLOAD = 20 * MEGABYTE
    """A batch with more bytes is sent in several parts."""
    SECRETS: ClassVar[tuple[str, ...]] = ()
    """The attributes that hold secrets, as `scheduler.store.encryption` stores them."""

    def __init__(
        self,
        aid: str,
        name: str,
        description: str,
        updateTime: int,
        access: Any = None,
        *,
        batch_size: int = 1000,
    ) -> None:
        super().__init__(aid, name, description, updateTime, access)
        if batch_size < 1:
            raise ValueError(f"batch_size is {batch_size}: a batch holds at least one record")
        self._batch_size = batch_size

    def reseal(self) -> None:
        """Encrypt the agent's secrets with the installation's present key; SecretUnreadable."""
        for name in self.SECRETS:
            kept = getattr(self, name)
            if (sealed := resealed(kept)) != kept:
                setattr(self, name, sealed)

    @property
    def tells_of_owners(self) -> bool:
        """Whether the records of parts tell of their owners, as those in MARCXML do."""
        return False

    def _generateRecords(
        self,
        data: Iterable[tuple[int, ActionWrapper]],
        lastTS: int | None,
        dbi: Connection | None = None,
    ) -> Iterable[Any]:
        changes = with_parts(data) if self.tells_of_owners else data
        return super()._generateRecords(changes, lastTS, dbi)

    def _prepare(self, record: Record) -> bytes:
        """Return *record* as the target takes it; what this raises refuses that record alone."""
        return json_bytes(self.told(record))

    def told(self, record: Record) -> Document:
        """Return the document of *record*, with the newest transaction that it is about.

        The transaction and its token, the `position`, are left out where it is not known.
        """
        shown = document(record, self._access)
        tid = getattr(record, "tid", None)
        if tid is None or self._p_jar is None:
            return shown
        return shown | {"position": token_of(self._p_jar, tid), "transaction": f"{tid:016x}"}

    def _sender(self) -> AbstractContextManager[Send]:
        """Open what is needed for a run, and give the function that sends some items.

        It raises `PartialFailure` if the target refused some for good, `Overloaded` if it wants
        them all later, AgentExecutionException if anything else keeps it from taking them.
        """
        raise NotImplementedError(f"{type(self).__name__} does not say how items are sent")

    def listed(self) -> Iterator[tuple[str, Any]]:
        """Yield the id of each object that the target knows, with its state as `state_of` gives it.

        Raises AgentExecutionException where the target cannot be asked, or does not answer.
        """
        raise AgentExecutionException(
            f"what the target of agent {self._id!r} knows cannot be listed: {type(self).__name__} "
            "has no listed()"
        )

    def state_of(self, content: bytes) -> Any:
        """Return what of a record's *content*, as `_prepare` made it, is the object's state.

        Whether the object was new is not, nor is the key of the record.
        """
        return state_in(json.loads(content))

    def prepared(self, record: Record) -> Any:
        """Return the state that the target would have of the object of *record*."""
        return self.state_of(self._prepare(record))

    def _run(
        self,
        data: Iterable[Record],
        logger: logging.Logger | None = None,
        monitor: Any = None,
        dbi: Connection | None = None,
        task: Any = None,
    ) -> Any:
        with self._sender() as send:
            uploader = TargetUploader(logger, self, self._batch_size, self._prepare, send)
            return uploader.iterateOver(present(data), dbi)


class TargetUploader(RecordUploader):
    """Uploads batches: prepared record by record, then sent in parts that are not too large."""

    def __init__(
        self,
        logger: logging.Logger | None,
        agent: TargetAgent,
        batchSize: int,
        prepare: Callable[[Record], bytes],
        send: Send,
    ) -> None:
        super().__init__(logger, agent, batchSize)
        self._target = agent
        self._prepare_one = prepare
        self._send = send

    def _uploadBatch(self, batch: list[Record]) -> None:
        """Send *batch*; raises PartialFailure where some of it was refused, the rest taken."""
        items, unsendable = self.prepare(batch)
        refused = unsendable | self.deliver(items)
        if refused:
            place, reason = next(iter(refused.items()))
            raise PartialFailure(
                f"{len(refused)} of {len(batch)} records were refused; "
                f"the first, {batch[place][1]!r}: {reason}",
                refused,
                unsendable,
            )

    def prepare(self, batch: list[Record]) -> tuple[dict[int, TargetItem], dict[int, str]]:
        """Return the items of *batch* by their place in it, and why the others have none."""
        items: dict[int, TargetItem] = {}
        refused: dict[int, str] = {}
        for place, record in enumerate(batch):
            try:
                items[place] = self._item(record)
            except (TransientError, StorageError):
                raise  # the fault of the database, not of the record
            except Exception as error:  # noqa: BLE001 (whatever it is, the others go on)
                refused[place] = f"{type(error).__name__}: {error}"
        return items, refused

    def deliver(self, items: dict[int, TargetItem]) -> dict[int, str]:
        """Send *items*; return why the target refused some of them, by place. For any thread."""
        refused: dict[int, str] = {}
        for places in self._parts(items):
            try:
                self._send([items[place] for place in places])
            except PartialFailure as failure:
                for number, reason in failure.refused.items():
                    refused[places[number]] = reason
        return refused

    def _item(self, record: Record) -> TargetItem:
        obj, obj_id, status = record
        if isinstance(obj, Broken):
            raise TypeError(f"the class of the object is missing: {type(obj).__qualname__}")
        name = str(obj_id)
        if name != well_formed(name) or "\0" in name:
            raise ValueError(f"the id {name!r} is no text that a target could take")
        content = self._prepare_one(record)
        if len(content) > self._target.LARGEST_RECORD:
            raise ValueError(
                f"the record has {len(content):,} bytes, more than this agent sends: "
                f"{self._target.LARGEST_RECORD:,}"
            )
        position = getattr(record, "position", None)
        key = key_of(record, self._target.getLastTS() if position is None else position)
        is_deleted = bool(status & STATUS_DELETED)
        return TargetItem(key, name, is_deleted, position, content, kind_in(record))

    def _parts(self, items: dict[int, TargetItem]) -> Iterator[list[int]]:
        """Yield the places of items that go together, in order."""
        part: list[int] = []
        size = 0
        for place, item in items.items():
            if part and size + len(item.content) > self._target.LARGEST_UPLOAD:
                yield part
                part, size = [], 0
            part.append(place)
            size += len(item.content)
        if part:
            yield part
