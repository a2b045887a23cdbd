"""The file of the embedded database, which each process of the machine opens by itself."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from persistent.TimeStamp import TimeStamp
from ZODB.FileStorage.FileStorage import TempFormatter, read_index
from ZODB.POSException import StorageTransactionError
from ZODB.utils import p64, u64

from scheduler.storage.commit_turn import CommitTurn
from scheduler.storage.data_file import begin_file, close_files
from scheduler.storage.file_lock import lock_shared
from scheduler.storage.file_tail import tid_at
from scheduler.storage.file_watch import FileWatch
from scheduler.storage.gathered import Gathered
from scheduler.storage.new_transactions import NewTransaction, holds, transactions_behind
from scheduler.storage.positioned_file import Readers
from scheduler.storage.private_files import sync
from scheduler.storage.side_files import INDEX_BEHIND, IndexAhead, SideFiles
from scheduler.storage.transaction_iterator import FileReplaced, TransactionIterator

log = logging.getLogger(__name__)

# It leaves out the times of the file, which spares file systems a commit of their journal.
fdatasync = getattr(os, "fdatasync", os.fsync)


class EmbeddedStorage(SideFiles):
    """A FileStorage that several processes have open at a time.

    Each process has an index of its own, and reads what others have appended whenever a
    transaction begins. A commit is gathered, and takes the commit turn with its vote; with the
    turn comes the knowledge of all earlier commits, so that conflicts are found as within one
    process. Others see a commit as soon as it is in the file; `tpc_finish` returns when it is on
    the disk, with all that was committed before it: so a commit that is only a consequence of
    earlier ones can be lazy, and come to the disk with the next.

    The next commit cuts off what a process that was killed in its own left at the end.

    The files and folders are closed to other users, whatever the umask.
    """

    _file: Any
    _file_name: str
    _oid: bytes
    _tfile: Any = None
    _on_commit: Callable[[bytes], None] | None = None
    _readers: Any = None
    _watch: FileWatch | None = None
    _on_disk = 0  # up to where the file is known to be on the disk

    def __init__(self, file_name: str, **options: Any) -> None:
        close_files(Path(file_name).absolute())
        self._gathered: dict[Any, Gathered] = {}
        self._free_oids: Iterator[int] = iter(())
        self.on_restore: Callable[[bytes, bytes], None] = lambda last, newest: None
        self._lock_file = lock_shared(f"{file_name}.lock")
        self._turn = CommitTurn(f"{file_name}.turn", lambda: self._catch_up(cuts=True))
        try:
            self._ahead = IndexAhead(file_name)
            with self._turn:
                begin_file(Path(file_name))
                # Opened as if it were only read, it makes no temporary file and no lock.
                super().__init__(file_name, read_only=True, **options)
                self._take_over()
            self._ahead = None
            self._save_index_ahead()
        except BaseException:
            self._let_go()
            raise

    def _take_over(self) -> None:
        self._is_read_only = False
        self._file.close()
        self._file = open(self._file_name, "r+b")  # noqa: SIM115 (see close)
        self._tfile = TemporaryFile(dir=Path(self._file_name).parent)  # noqa: SIM115 (see close)
        self._tfmt = TempFormatter(self._tfile)
        self._files = Readers(lambda: self._file)
        self._commit_lock = self._turn
        self._commit_lock_acquire = self._turn.acquire
        self._commit_lock_release = self._turn.release
        self._is_opening = False

    def _save_index_ahead(self) -> None:
        """Save the index, as `_save_index` does, while others commit."""
        if self._pos - self._index_end <= INDEX_BEHIND:
            return
        own, end = os.fstat(self._file.fileno()), self._pos
        written = self._written_index(self._index, end)
        with self._turn:
            if self._is_other_than(own):  # it was packed meanwhile
                os.remove(written)
            else:
                self._put_index(written, end)

    def close(self) -> None:
        """Close the file, and save the index if much was written since that was done."""
        if self._watch is not None:
            self._watch.close()
        is_replaced = not self._file.closed and self._is_replaced()
        if is_replaced:
            self._index_end = self._pos  # it is not the file's index any more
        super().close()
        self._turn.close()

    def watch(self) -> None:
        """Learn of the commits of other processes at once, not only when a transaction begins."""
        if self._watch is None:
            self._watch = FileWatch(self._file_name, self.lastTransaction)

    def descriptors(self) -> Iterator[int]:
        """Yield the descriptors that a child process must not use."""
        for opened in (self._file, self._tfile, self._lock_file, self._turn):
            with suppress(ValueError):  # it is closed
                yield opened.fileno()
        if self._watch is not None:
            yield from self._watch.descriptors()

    # Commits of other processes

    def registerDB(self, db: Any) -> None:
        """Tell *db* of the commits of other processes."""
        super().registerDB(db)
        self._readers = db

    def lastTransaction(self) -> bytes:
        """Return the id of the last transaction of all processes."""
        if not self._file.closed and self._is_behind():
            self._catch_up()
        tid: bytes = super().lastTransaction()
        return tid

    def iterator(self, start: bytes | None = None, stop: bytes | None = None) -> Any:
        """Return the transactions from *start* to *stop*, up to the last one of all processes."""
        while True:
            self.lastTransaction()
            with suppress(FileReplaced), self._lock:
                return TransactionIterator(self._file, start, stop, self._pos)

    def _is_behind(self) -> bool:
        own = os.fstat(self._file.fileno())
        return own.st_size != self._pos or self._is_other_than(own)

    def _is_replaced(self) -> bool:
        return self._is_other_than(os.fstat(self._file.fileno()))

    def _is_other_than(self, own: os.stat_result) -> bool:
        """Say whether another file than *own*, which is open, stands in its place now."""
        try:
            found = os.stat(self._file_name)
        except FileNotFoundError:  # between two steps of a pack
            return False
        return not os.path.samestat(found, own)

    def _catch_up(self, *, cuts: bool = False) -> None:
        if self._is_opening or self._file.closed:
            return
        with self._files.write_lock(), self._lock:
            if not self._is_behind():
                return
            if self._is_replaced() or not holds(self._file.fileno(), self._pos, self._ltid):
                self._read_anew()
            for found in transactions_behind(self._file.fileno(), self._pos):
                self._learn(found)
            self._file.flush()  # what it has read ahead may have been cut off since
            if cuts and os.fstat(self._file.fileno()).st_size > self._pos:
                log.info("%s: an unfinished commit is cut off, its process is gone", self.__name__)
                os.ftruncate(self._file.fileno(), self._pos)

    def _learn(self, found: NewTransaction) -> None:
        if self._readers is not None:
            self._readers.invalidate(found.tid, list(found.positions))
        self._index.update(found.positions)
        self._oid = max(self._oid, *found.positions) if found.positions else self._oid
        self._pos, self._ltid, self._ts = found.end, found.tid, TimeStamp(found.tid)

    def _read_anew(self) -> None:
        """Read the file that stands in the place of the former one: a packed one, or a backup."""
        before = self._ltid
        self._file.close()
        self._file = open(self._file_name, "r+b")  # noqa: SIM115 (see close)
        index, tindex = self._newIndexes()
        self._initIndex(index, tindex)
        restored = self._restore_index()
        start, ltid = tid_at(restored)
        if restored is not None:
            index = restored[0]
            self._initIndex(index, tindex)
        self._pos, oid, self._ltid = read_index(
            self._file, self._file_name, index, tindex, ltid=ltid, start=start, read_only=True
        )
        self._oid, self._ts = max(self._oid, oid), TimeStamp(self._ltid)
        if self._readers is not None:
            self._readers.invalidateCache()
        if self._ltid < before:
            self.on_restore(before, self._ltid)

    # Commits

    def new_oid(self) -> bytes:
        """Return the id of a new object."""
        while True:
            with self._lock:
                oid = next(self._free_oids, None)
            if oid is not None:
                free: bytes = p64(oid)
                return free
            with self._turn:
                reserved = self._turn.reserve(u64(self._oid) + 1)
                with self._lock:
                    self._free_oids = iter(reserved)

    def tpc_begin(self, transaction: Any, tid: bytes | None = None, status: str = " ") -> None:
        """Begin to gather the commit of *transaction*."""
        if transaction in self._gathered:
            raise StorageTransactionError("Duplicate tpc_begin calls for same transaction")
        self._gathered[transaction] = Gathered(tid, status)

    def store(self, oid: bytes, serial: bytes, data: bytes, version: str, transaction: Any) -> None:
        """Store *data*; a conflict is found when the commit takes its turn."""
        if transaction is self._transaction:
            super().store(oid, serial, data, version, transaction)
            return
        gathered = self._gathered_of(transaction)
        gathered.store(oid, serial, data)
        if gathered.is_full:
            self._take_turn(transaction)

    def checkCurrentSerialInTransaction(self, oid: bytes, serial: bytes, transaction: Any) -> None:
        """Raise ReadConflictError at the vote if *oid* has another serial by then."""
        if transaction is self._transaction:
            super().checkCurrentSerialInTransaction(oid, serial, transaction)
        else:
            self._gathered_of(transaction).check(oid, serial)

    def storeBlob(self, *args: Any) -> Any:
        """Store a blob; see ZODB."""
        self._take_turn(args[-1])
        return super().storeBlob(*args)

    def restoreBlob(self, *args: Any) -> Any:
        """Store a blob of another database; see ZODB."""
        self._take_turn(args[-1])
        return super().restoreBlob(*args)

    def restore(self, *args: Any) -> Any:
        """Store a record of another database; see ZODB."""
        self._take_turn(args[-1])
        return super().restore(*args)

    def deleteObject(self, oid: bytes, serial: bytes, transaction: Any) -> None:
        """Delete an object that nothing refers to; see ZODB."""
        self._take_turn(transaction)
        super().deleteObject(oid, serial, transaction)

    def undo(self, transaction_id: bytes, transaction: Any) -> Any:
        """Undo a transaction; see ZODB."""
        self._take_turn(transaction)
        return super().undo(transaction_id, transaction)

    def tpc_vote(self, transaction: Any) -> Any:
        """Write the transaction; OSError where there is no room for it."""
        self._take_turn(transaction)
        with self._lock:
            try:
                return super().tpc_vote(transaction)
            except OSError:
                self._forget_buffers()
                raise

    def tpc_finish(self, transaction: Any, f: Callable[[bytes], None] | None = None) -> bytes:
        """Commit *transaction*, then call *f*; return when it is on the disk.

        A lazy one (`scheduler.store.commit.commit_lazily`) need not be there yet.
        """
        if transaction is self._transaction:
            self._on_commit = f
        file, end = self._file, self._nextpos
        tid: bytes = super().tpc_finish(transaction)
        del self._gathered[transaction]
        if not getattr(transaction, "is_lazy", False):
            self._sync(file, end)
        return tid

    def reach_disk(self) -> None:
        """Return when all that is committed is on the disk, lazy commits included."""
        if self._pos > self._on_disk:
            self._sync(self._file, self._pos)

    def _sync(self, file: Any, end: int) -> None:
        with suppress(ValueError):  # a pack has replaced the file, and synced the new one
            fdatasync(file.fileno())
            if file is self._file:
                self._on_disk = max(self._on_disk, end)

    def _initIndex(self, index: Any, tindex: Any) -> None:
        super()._initIndex(index, tindex)
        self._on_disk = 0
        sync(Path(self._file_name).parent)  # the file may be new, or put in place by a pack

    def tpc_abort(self, transaction: Any) -> None:
        """Drop *transaction*, and give its turn back."""
        self._gathered.pop(transaction, None)
        super().tpc_abort(transaction)

    def _gathered_of(self, transaction: Any) -> Gathered:
        try:
            return self._gathered[transaction]
        except KeyError:
            raise StorageTransactionError(self, transaction) from None

    def _take_turn(self, transaction: Any) -> None:
        if transaction is self._transaction:
            return
        gathered = self._gathered_of(transaction)
        super().tpc_begin(transaction, gathered.tid, gathered.status)
        for oid, serial, data in gathered.stored:
            super().store(oid, serial, data, "", transaction)
        for oid, serial in gathered.checked:
            super().checkCurrentSerialInTransaction(oid, serial, transaction)

    def _finish_finish(self, tid: bytes) -> None:
        self._file.flush()
        self._pos, self._ltid = self._nextpos, tid
        self._index.update(self._tindex)
        self._blob_tpc_finish()
        if self._on_commit is not None:
            self._on_commit(tid)

    def _forget_buffers(self) -> None:
        self._file.raw.truncate(self._pos)
        self._file.raw.close()  # not the buffered one: that would write again
        self._file = open(self._file_name, "r+b")  # noqa: SIM115 (the storage closes it)

    def _let_go(self) -> None:
        for name in ("_file", "_tfile", "_lock_file", "_turn"):
            opened = getattr(self, name, None)
            if opened is not None:
                opened.close()
