"""The verification of a database: each object is read, and what it refers to is looked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from ZODB.blob import is_blob_record
from ZODB.POSException import POSKeyError
from ZODB.serialize import referencesf
from ZODB.utils import load_current, u64


class Fault(NamedTuple):
    """A fault of the object with that number."""

    number: int
    text: str


def verify(
    storage: Any, progress: Callable[[int], None] = lambda number: None
) -> tuple[int, list[Fault]]:
    """Return how many current records *storage* has, and the faults of these.

    A fault is a record or blob that cannot be read, or a reference to an object that is missing.
    *progress* is told how many are read.
    """
    number = 0
    found: list[Fault] = []
    for oid in _oids(storage):
        number += 1
        found += _faults(storage, oid)
        progress(number)
    return number, found


def _faults(storage: Any, oid: bytes) -> Iterator[Fault]:
    try:
        data, tid = load_current(storage, oid)
        if is_blob_record(data):
            storage.loadBlob(oid, tid)
        references = set(referencesf(data))
    except POSKeyError:
        yield Fault(u64(oid), "it is missing, or its blob is")
        return
    except Exception as error:  # noqa: BLE001 (damage raises anything)
        yield Fault(u64(oid), f"it cannot be read: {type(error).__name__}: {error}")
        return
    for target in references:
        if not _is_there(storage, target):
            yield Fault(u64(oid), f"it refers to object {u64(target)}, which is missing")


def _oids(storage: Any) -> Iterator[bytes]:
    index = getattr(storage, "_index", None)
    if index is not None:
        # The file's own list, which damage to a record does not break off.
        yield from list(index.keys())
        return
    following = None
    while True:
        oid, _, _, following = storage.record_iternext(following)
        yield oid
        if following is None:
            return


def _is_there(storage: Any, oid: bytes) -> bool:
    index = getattr(storage, "_index", None)
    if index is not None:
        return oid in index
    try:
        load_current(storage, oid)
    except POSKeyError:
        return False
    return True
