"""The files beside the data file of the embedded database: its index, packed file and blobs."""

from __future__ import annotations

import logging
import os
from contextlib import closing, suppress
from pathlib import Path
from threading import get_ident
from typing import Any

from ZODB.FileStorage.FileStorage import FileStorage
from ZODB.FileStorage.format import CorruptedDataError
from ZODB.FileStorage.fspack import FileStoragePacker
from ZODB.fsIndex import fsIndex

from scheduler.storage.file_lock import only_packer
from scheduler.storage.file_tail import CORRUPT, FileTail, tid_at
from scheduler.storage.new_transactions import holds, transactions_behind
from scheduler.storage.private_blobs import PrivateBlobs
from scheduler.storage.private_files import private_file, private_tree

log = logging.getLogger(__name__)

# Bytes behind the saved index that the next process may have to read when it opens the file.
INDEX_BEHIND = 1 << 20
# Bytes of a packed file that are brought to the disk at a time, and at most with the turn.
UNSYNCED = 4 << 20


class IndexAhead(FileStorage):
    """The index of a data file to which others append, read while they do.

    A process that opens the file would keep all others from committing, as long as it reads what
    stands behind the saved index.
    """

    def __init__(self, file_name: str) -> None:
        self.__name__ = self._file_name = file_name
        self.restored: tuple[Any, int, bytes] | None = None
        self.saved_end = 0
        # Damage, and a file that cannot be read, are told when it is opened.
        with suppress(OSError, *CORRUPT), open(file_name, "rb") as self._file:
            self._place = os.fstat(self._file.fileno())
            self.restored = self._read()

    def is_of(self, file: Any) -> bool:
        """Return whether there is an index, and it is that of the open *file* as it is now."""
        if self.restored is None:
            return False
        found, (_, end, tid) = os.fstat(file.fileno()), self.restored
        is_same = os.path.samestat(self._place, found) and end <= found.st_size
        return is_same and holds(file.fileno(), end, tid)

    def _read(self) -> tuple[Any, int, bytes] | None:
        found = self._restore_index()
        end, tid = tid_at(found)
        self.saved_end = end
        index = fsIndex() if found is None else found[0]
        with suppress(CorruptedDataError):
            for new in transactions_behind(self._file.fileno(), end):
                if new.tid <= tid:
                    break  # what a loss of power may leave
                index.update(new.positions)
                end, tid = new.end, new.tid
        return (index, end, tid) if len(index) else None


class Packer(FileStoragePacker):
    """Writes the packed file, and brings it to the disk without the turn but for its end."""

    _synced = 0

    def copyToPacktime(self) -> tuple[int, int]:
        """Copy what is left of the history; return up to where it was read, and written."""
        read, written = super().copyToPacktime()
        if read != written:
            self._sync()
        return read, written

    def copyOne(self, ipos: int) -> int:
        """Copy a transaction that stays as it is; return where the next one stands."""
        if self._tfile.tell() - self._synced > UNSYNCED:
            self._commit_lock.release()
            self.locked = False
            self._sync()
            self._commit_lock.acquire()
            self.locked = True
        following: int = super().copyOne(ipos)
        return following

    def _sync(self) -> None:
        self._tfile.flush()
        os.fsync(self._tfile.fileno())
        self._synced = self._tfile.tell()


class SideFiles(FileStorage):
    """A FileStorage whose side files are closed to other users, and replaced as a whole."""

    _file_name: str
    _is_opening = True
    _ahead: IndexAhead | None = None
    _index_end = 0  # up to where of the data file the saved index tells

    def _restore_index(self) -> Any:
        if self._ahead is not None and self._ahead.is_of(self._file):
            index, self._index_end = self._ahead.restored, self._ahead.saved_end
        else:
            index = self._saved_index()
            self._index_end = tid_at(index)[0]
        if self._is_opening:
            with open(self._file_name, "r+b") as file:
                FileTail(file, self._file_name, *tid_at(index)).cut()
        return index

    def _saved_index(self) -> Any:
        try:
            return super()._restore_index()
        except CORRUPT as error:
            log.info("index of %s rebuilt: it cannot be read: %s", self._file_name, error)
            return None

    def _save_index(self) -> None:
        if self._pos - self._index_end > INDEX_BEHIND:
            self._write_index(self._index, self._pos)

    def _write_index(self, index: Any, end: int) -> None:
        self._put_index(self._written_index(index, end), end)

    def _written_index(self, index: Any, end: int) -> str:
        """Write *index*, which goes up to *end*, beside the present one; return its name."""
        name = f"{self._file_name}.index.{os.getpid()}-{get_ident()}"
        private_file(name)
        index.save(end, name)
        return name

    def _put_index(self, name: str, end: int) -> None:
        os.replace(name, f"{self._file_name}.index")
        self._index_end = end

    def pack(self, *args: Any, **kwargs: Any) -> Any:
        """Drop old revisions; see ZODB. Raises FileStorageError while another process does so."""
        packed = Path(f"{self._file_name}.pack")
        with only_packer(f"{self._file_name}.packing"):
            private_file(packed)
            try:
                return super().pack(*args, **kwargs)
            finally:
                if packed.exists() and not packed.stat().st_size:
                    packed.unlink()  # there was nothing to pack
                private_tree(Path(f"{self.blob_dir}.old"))

    @staticmethod
    def packer(storage: Any, referencesf: Any, stop: bytes, gc: bool) -> Any:
        """Write the packed file and its index; with the turn, if there is something to pack."""
        with closing(Packer(storage, referencesf, stop, gc)) as packer:
            end = packer.pack()
        if end is None:
            return None
        try:
            with open(f"{storage._file_name}.pack", "rb") as file:
                os.fsync(file.fileno())
            storage._write_index(packer.index, end)
        except BaseException:
            storage._commit_lock_release()
            raise
        return end, packer.index

    def _blob_init(self, blob_dir: str, layout: str = "automatic") -> None:
        super()._blob_init_no_blobs()
        self.fshelper = PrivateBlobs(blob_dir, layout)
        self.fshelper.create()

    def _blob_storeblob(self, oid: bytes, serial: bytes, blobfilename: str) -> None:
        super()._blob_storeblob(oid, serial, blobfilename)
        self.fshelper.keep(self.fshelper.getBlobFilename(oid, serial))
