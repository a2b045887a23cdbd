"""Copies of a database: transaction by transaction, with history and blobs, while it is used."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from persistent.TimeStamp import TimeStamp
from ZODB.blob import is_blob_record
from ZODB.Connection import TransactionMetaData
from ZODB.FileStorage.FileStorage import FileStorageError
from ZODB.POSException import POSError, POSKeyError
from ZODB.utils import load_current, p64, u64, z64

from daemon.errors import DaemonException
from scheduler.storage.file_lock import only_packer
from scheduler.storage.stored_transactions import stored_transactions
from scheduler.store.database_uri import file_of, open_bare

ROUNDS = 20
"""How often what was committed meanwhile is copied, too, before the copy is called done."""

Progress = Callable[[int], None]
"""Is told how many transactions are copied."""


def copy(
    source_uri: str, target_uri: str, progress: Progress, *, resume: bool
) -> tuple[int, datetime | None]:
    """Copy one database to another; return how many transactions were copied, and up to when.

    That is None where the target has none.
    The source may be used meanwhile: the copy is that of one moment, the last of its rounds. The
    target must be empty; with *resume* it may be the beginning of such a copy, which goes on.
    Raises DaemonException, and DatabaseUnavailable.
    """
    with closing(open_bare(source_uri)) as source, closing(open_bare(target_uri)) as target:
        _check(source, target, resume=resume)
        number, last = 0, last_of(target)
        for _ in range(ROUNDS):
            end = last_of(source)
            if end <= last:
                break
            with closing(transactions(source, last, end)) as found:
                for each in found:
                    _restore(source, target, each)
                    last = each.tid
                    number += 1
                    progress(number)
    return number, None if last == z64 else datetime.fromtimestamp(TimeStamp(last).timeTime(), UTC)


@contextmanager
def unpacked(uri: str) -> Iterator[None]:
    """Keep an embedded database from being packed inside the block; others are left alone.

    Raises DaemonException while it is being packed.
    """
    file = file_of(uri)
    if file is None:
        yield
        return
    try:
        with only_packer(f"{file}.packing"):
            yield
    except FileStorageError as error:
        raise DaemonException(f"{file} is being packed: try again later") from error


def last_of(storage: Any) -> bytes:
    """Return the id of the last transaction of *storage*; zeros if it has none."""
    instance = storage.new_instance() if hasattr(storage, "new_instance") else storage
    try:
        getattr(instance, "poll_invalidations", lambda: None)()
        last: bytes = instance.lastTransaction() or z64
        return last
    finally:
        if instance is not storage:
            instance.release()


def transactions(storage: Any, behind: bytes, end: bytes) -> Generator[Any, None, None]:
    """Yield the transactions of *storage* behind the one with the id *behind*, up to *end*."""
    with closing(stored_transactions(storage, p64(u64(behind) + 1), end)) as found:
        for each in found:
            if each.tid != z64:  # PostgreSQL keeps the beginning as a transaction
                yield each


def _first(storage: Any, behind: bytes, end: bytes) -> bytes | None:
    """Return the id of the first transaction behind *behind*; None without one up to *end*."""
    with closing(transactions(storage, behind, end)) as found:
        return next((each.tid for each in found), None)


def _check(source: Any, target: Any, *, resume: bool) -> None:
    if getattr(target, "keep_history", True) is False:
        raise DaemonException("the target keeps no history: open it without keep_history=false")
    last = last_of(target)
    if last == z64:
        return
    if not resume:
        raise DaemonException(
            "the target is not empty: give an empty one, or --resume to go on with a copy that "
            "was broken off"
        )
    first = _first(target, z64, last)
    begins_alike = _first(source, z64, last) == first
    ends_alike = _first(source, p64(u64(last) - 1), last) == last
    if not begins_alike or not ends_alike:
        raise DaemonException(
            "the target is no beginning of a copy of this source, or the source was packed since: "
            "give an empty one"
        )


def _restore(source: Any, target: Any, each: Any) -> None:
    about = TransactionMetaData(each.user, each.description, _extension(each))
    target.tpc_begin(about, each.tid, each.status)
    try:
        for record in each:
            if is_blob_record(record.data or b""):
                _restore_blob(source, target, record, about)
            else:
                target.restore(record.oid, record.tid, record.data, "", record.data_txn, about)
        target.tpc_vote(about)
    except BaseException:
        target.tpc_abort(about)
        raise
    target.tpc_finish(about)


def _extension(each: Any) -> Any:
    found = getattr(each, "extension_bytes", None)
    return found if isinstance(found, bytes) else each.extension


def _restore_blob(source: Any, target: Any, record: Any, about: Any) -> None:
    try:
        folder = Path(target.temporaryDirectory())
        file = folder / f"copied-{os.getpid()}"
        shutil.copyfile(source.loadBlob(record.oid, record.tid), file)
        if hasattr(target, "restoreBlob"):
            name, before = str(file), record.data_txn
            target.restoreBlob(record.oid, record.tid, record.data, name, before, about)
        else:
            # The client of ZEO has no such method; the transaction has its id all the same.
            serial = _serial(target, record.oid)
            target.storeBlob(record.oid, serial, record.data, str(file), "", about)
    except POSKeyError as error:
        raise DaemonException(f"the blob of object {u64(record.oid)} is missing") from error
    except (POSError, AttributeError, TypeError) as error:
        raise DaemonException(
            f"the blob of object {u64(record.oid)} cannot be copied: both databases need a folder "
            f"for blobs, such as blob_dir=... in their URI ({type(error).__name__}: {error})"
        ) from error


def _serial(target: Any, oid: bytes) -> bytes:
    serial: bytes = z64
    with suppress(POSKeyError):
        serial = load_current(target, oid)[1]
    return serial
