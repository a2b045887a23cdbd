"""The data file of an embedded database, and the files beside it, as they are made."""

from __future__ import annotations

import logging
from pathlib import Path

from ZODB.FileStorage.FileStorage import packed_version

from scheduler.storage.private_files import close_to_others, own_folder, private_file

log = logging.getLogger(__name__)

# The files beside the data file that are made with it, and those that may be there.
COMPANIONS = (".lock", ".turn")
KEPT = ("", ".index", ".old", ".pack", ".packing")


def close_files(place: Path) -> None:
    """Close the data file *place*, and what stands beside it, to other users."""
    if not own_folder(place.parent, place.name):
        log.info("folder %s stays open to other users: it holds files beside %s", *place.parts[-2:])
    for each in COMPANIONS:
        private_file(f"{place}{each}")
    for each in KEPT:
        close_to_others(f"{place}{each}")


def begin_file(file: Path) -> None:
    """Make *file* where it is missing; put it in its place where a pack was broken off."""
    packed = Path(f"{file}.pack")
    if not file.exists() and packed.exists() and Path(f"{file}.old").exists():
        packed.rename(file)  # the process that packed was killed between two renames
    private_file(file)
    if not file.stat().st_size:
        file.write_bytes(packed_version)
