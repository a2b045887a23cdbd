"""The files beside the data file of the embedded database: its index, packed file and blobs."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any

from ZODB.FileStorage.FileStorage import FileStorage

from scheduler.storage.file_lock import only_packer
from scheduler.storage.file_tail import CORRUPT, FileTail, tid_at
from scheduler.storage.private_blobs import PrivateBlobs
from scheduler.storage.private_files import private_file, private_tree

log = logging.getLogger(__name__)

# Bytes behind the saved index that the next process may have to read when it opens the file.
INDEX_BEHIND = 1 << 20


class SideFiles(FileStorage):
    """A FileStorage whose side files are closed to other users, and replaced as a whole."""

    _file_name: str
    _is_opening = True
    _index_end = 0  # up to where of the data file the saved index tells

    def _restore_index(self) -> Any:
        try:
            index = super()._restore_index()
        except CORRUPT as error:
            log.info("index of %s rebuilt: it cannot be read: %s", self._file_name, error)
            index = None
        self._index_end = tid_at(index)[0]
        if self._is_opening:
            with open(self._file_name, "r+b") as file:
                FileTail(file, self._file_name, *tid_at(index)).cut()
        return index

    def _save_index(self) -> None:
        if self._pos - self._index_end > INDEX_BEHIND:
            self._write_index(self._index, self._pos)

    def _write_index(self, index: Any, end: int) -> None:
        name = f"{self._file_name}.index"
        private_file(f"{name}.{os.getpid()}")
        index.save(end, f"{name}.{os.getpid()}")
        os.replace(f"{name}.{os.getpid()}", name)
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
        packed = FileStorage.packer(storage, referencesf, stop, gc)
        if packed is None:
            return None
        try:
            with open(f"{storage._file_name}.pack", "rb") as file:
                os.fsync(file.fileno())
            storage._write_index(packed[1], packed[0])
        except BaseException:
            storage._commit_lock_release()
            raise
        return packed

    def _blob_init(self, blob_dir: str, layout: str = "automatic") -> None:
        super()._blob_init_no_blobs()
        self.fshelper = PrivateBlobs(blob_dir, layout)
        self.fshelper.create()

    def _blob_storeblob(self, oid: bytes, serial: bytes, blobfilename: str) -> None:
        super()._blob_storeblob(oid, serial, blobfilename)
        self.fshelper.keep(self.fshelper.getBlobFilename(oid, serial))
