"""The check of a copy: each transaction, record and blob of the two databases is compared."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import ExitStack, closing
from itertools import zip_longest
from pathlib import Path
from typing import Any

from persistent.TimeStamp import TimeStamp
from ZODB.blob import is_blob_record
from ZODB.utils import u64, z64

from daemon.maintenance.database_copy import Progress, last_of, transactions
from scheduler.store.database_uri import open_bare


def differences(source_uri: str, target_uri: str, progress: Progress) -> Iterator[str]:
    """Yield what differs between the two databases, up to the target's last transaction.

    *progress* is told how many transactions are compared.
    """
    with ExitStack() as stack:
        uris = source_uri, target_uri
        opened = [stack.enter_context(closing(open_bare(uri))) for uri in uris]
        source, target = opened
        end = last_of(target)
        both = [stack.enter_context(closing(transactions(each, z64, end))) for each in opened]
        for number, (ours, theirs) in enumerate(zip_longest(*both), 1):
            if ours is None or theirs is None or ours.tid != theirs.tid:
                found = (ours or theirs).tid
                yield f"transaction {TimeStamp(found)} is in one of them only"
                return
            yield from _of_transaction(source, target, ours, theirs)
            progress(number)


def _of_transaction(source: Any, target: Any, ours: Any, theirs: Any) -> Iterator[str]:
    name = f"transaction {TimeStamp(ours.tid)}"
    if _about(ours) != _about(theirs):
        yield f"{name}: user, description or extension differ"
    before, after = _records(source, ours), _records(target, theirs)
    for oid in sorted(before.keys() | after.keys()):
        if before.get(oid) != after.get(oid):
            yield f"{name}: object {u64(oid)} differs"


def _about(each: Any) -> tuple[Any, ...]:
    return each.user, each.description, each.extension


def _records(storage: Any, each: Any) -> dict[bytes, tuple[bytes | None, bytes]]:
    """Return by the id of each object its record, and the digest of its blob."""
    return {
        record.oid: (record.data, _digest(storage, record) if _is_blob(record) else b"")
        for record in each
    }


def _is_blob(record: Any) -> bool:
    return bool(is_blob_record(record.data or b""))


def _digest(storage: Any, record: Any) -> bytes:
    with Path(storage.loadBlob(record.oid, record.tid)).open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()
