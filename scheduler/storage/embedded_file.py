"""The file of the embedded database, safe against a full disk and a killed process."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ZODB.blob import FilesystemHelper
from ZODB.FileStorage.FileStorage import FileStorage

from scheduler.storage.file_tail import CORRUPT, FileTail, tid_at
from scheduler.storage.private_files import (
    COMMITTED,
    FOLDER,
    close_to_others,
    own_folder,
    private_file,
    private_folder,
    private_tree,
)

log = logging.getLogger(__name__)

COMPANIONS = ("", ".lock", ".tmp")
KEPT = (".index", ".old", ".pack")


class PrivateBlobs(FilesystemHelper):
    """The folders of blobs, closed to others."""

    def create(self) -> None:
        """Make the folders that all blobs need; close those that exist."""
        base = Path(self.base_dir)
        if base.is_dir() and base.stat().st_mode & ~FOLDER & 0o777:
            private_tree(base)
        private_folder(base)
        private_folder(Path(self.temp_dir))
        super().create()
        for each in base.glob(".*"):
            close_to_others(each)

    def getPathForOID(self, oid: Any, create: bool = False) -> Any:
        """Return the folder of a blob, made where that is asked for."""
        path = super().getPathForOID(oid)
        if create:
            private_folder(Path(path))
        return path


class EmbeddedStorage(FileStorage):
    """A FileStorage that survives failed writes and announces only what is on the disk.

    ZODB's FileStorage truncates the file through the very buffer that could not be written; if
    that fails as well, the partial transaction is read as committed. And it announces a
    transaction before that is on the disk: if the process is killed in between, its clients are
    ahead of the next server, and cannot join it.

    Its files and folders are closed to other users, whatever the umask.
    """

    _file: Any
    _file_name: str
    _tell: Callable[[bytes], None] | None = None

    def __init__(self, file_name: str, read_only: bool = False, **options: Any) -> None:
        if not read_only:
            place = Path(file_name).absolute()
            if not own_folder(place.parent, place.name):
                log.info(
                    "folder %s stays open to other users: it holds files beside %s",
                    *place.parts[-2:],
                )
            for each in COMPANIONS:
                private_file(f"{file_name}{each}")
            for each in KEPT:
                close_to_others(f"{file_name}{each}")
        try:
            super().__init__(file_name, read_only=read_only, **options)
        except BaseException:
            self._let_go()
            raise
        if not read_only:
            close_to_others(file_name)

    def pack(self, *args: Any, **kwargs: Any) -> Any:
        """Drop old revisions; see ZODB."""
        packed = Path(f"{self._file_name}.pack")
        private_file(packed)
        try:
            return super().pack(*args, **kwargs)
        finally:
            if packed.exists() and not packed.stat().st_size:
                packed.unlink()  # there was nothing to pack
            private_tree(Path(f"{self.blob_dir}.old"))

    def tpc_vote(self, transaction: Any) -> Any:
        """Write the transaction; OSError where there is no room for it."""
        with self._lock:
            try:
                return super().tpc_vote(transaction)
            except OSError:
                self._forget_buffers()
                raise

    def tpc_finish(self, transaction: Any, f: Callable[[bytes], None] | None = None) -> Any:
        """Commit *transaction*, and then call *f*, before anybody can read what is new."""
        if transaction is self._transaction:
            self._tell = f
        return super().tpc_finish(transaction)

    def _finish(self, tid: bytes, *description: Any) -> None:
        super()._finish(tid, *description)
        if self._tell is not None:
            self._tell(tid)

    def _save_index(self) -> None:
        private_file(f"{self._file_name}.index.index_tmp")
        super()._save_index()

    def _blob_init(self, blob_dir: str, layout: str = "automatic") -> None:
        super()._blob_init_no_blobs()
        self.fshelper = PrivateBlobs(blob_dir, layout)
        self.fshelper.create()

    def _blob_storeblob(self, oid: bytes, serial: bytes, blobfilename: str) -> None:
        super()._blob_storeblob(oid, serial, blobfilename)
        os.chmod(self.fshelper.getBlobFilename(oid, serial), COMMITTED)

    def _restore_index(self) -> Any:
        try:
            index = super()._restore_index()
        except CORRUPT as error:
            log.info("index of %s rebuilt: it cannot be read: %s", self._file_name, error)
            index = None
        if not self._is_read_only:
            FileTail(self._file, self._file_name, *tid_at(index)).cut()
        return index

    def _let_go(self) -> None:
        for name in ("_file", "_tfile", "_lock_file"):
            opened = getattr(self, name, None)
            if opened is not None:
                opened.close()

    def _forget_buffers(self) -> None:
        self._file.raw.truncate(self._pos)
        self._file.raw.close()  # not the buffered one: that would write again
        self._file = open(self._file_name, "r+b")  # noqa: SIM115 (the storage closes it)
        self._files.flush()
