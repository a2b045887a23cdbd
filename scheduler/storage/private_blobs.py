"""The folders of blobs, closed to other users."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ZODB.blob import FilesystemHelper

from scheduler.storage.private_files import (
    COMMITTED,
    FOLDER,
    close_to_others,
    private_folder,
    private_tree,
    sync,
)


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

    def keep(self, blob: str) -> None:
        """Close the file *blob*, which is to be committed, and bring it to the disk."""
        os.chmod(blob, COMMITTED)
        sync(blob)
        for folder in Path(blob).parents:
            sync(folder)
            if folder == Path(self.base_dir):
                return
