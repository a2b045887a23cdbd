"""Backups of the embedded database: repozo's files, and the blobs beside them."""

from __future__ import annotations

import fcntl
import os
import shutil
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from persistent import Persistent
from ZODB import DB
from ZODB.Connection import Connection
from ZODB.FileStorage.FileStorage import FileStorageError
from ZODB.scripts import repozo

from daemon.errors import DaemonException
from livesync import SyncManager
from livesync.delivery.push_agent import PushSyncAgent
from scheduler.clock import nowutc
from scheduler.storage.file_lock import only_packer
from scheduler.storage.private_files import opener, own_folder, private_folder, private_tree
from scheduler.store import Schema, open_database, position, transact

BLOBS = "blobs"


class BackupRecord(Persistent):
    """The last backup: its file, its folder and its date.

    Conflict behaviour: whoever makes one writes it; of two at once one repeats.
    """

    file = ""
    folder = ""
    last = 0.0


SCHEMA = Schema("backup", 1, BackupRecord)
REPOZO_ERRORS = (repozo.RepozoError, OSError, ValueError, KeyError)


def back_up(file: Path, folder: Path, *, full: bool = False) -> Path | None:
    """Back the database *file* up into *folder*, while it is used; return the file written.

    After a full backup only what is new is added, until the file is packed: None where nothing
    is. Raises DaemonException.
    """
    private_folder(folder.absolute())
    before = set(os.listdir(folder))
    try:
        # The blobs of the file's last transaction stand before it ends, and only a pack removes
        # some: those that are copied after the file are all that it names.
        with only_packer(f"{file}.packing"):
            repozo.do_backup(_options(folder, file=str(file), full=full))
            _copy_blobs(Path(f"{file}.blobs"), folder / BLOBS)
    except FileStorageError as error:
        raise DaemonException(f"{file} is being packed: try again later") from error
    except REPOZO_ERRORS as error:
        raise DaemonException(f"{file} cannot be backed up to {folder}: {error}") from error
    private_tree(folder)
    new = [name for name in set(os.listdir(folder)) - before if ".fs" in name or "deltafs" in name]
    return folder / new[0] if new else None


def note(database: DB, file: Path, folder: Path) -> None:
    """Note in *database* that its *file* was backed up into *folder* now."""

    def enter(connection: Connection) -> None:
        record = SCHEMA.get(connection)
        record.file, record.folder = str(file.absolute()), str(folder.absolute())
        record.last = nowutc().timestamp()

    transact(database, enter, note="daemon: backed up")


def restore(folder: Path, file: Path, *, force: bool = False) -> Path | None:
    """Put the newest backup of *folder* in the place of *file*, as a new epoch.

    The former file is kept under the name that is returned. Raises DaemonException where *file*
    is in use, where it exists and *force* is not set, or where the backup is damaged.
    """
    if not folder.is_dir():
        raise DaemonException(f"there is no folder of backups at {folder}")
    if file.exists() and not force:
        raise DaemonException(f"{file} exists: -f keeps it under another name, and restores")
    own_folder(file.parent, file.name)
    with _alone(file):
        made = made_at(file)
        shutil.rmtree(made, ignore_errors=True)
        private_folder(made)
        try:
            _recover(folder, made / file.name)
            kept = put_aside(file)
            for name in (f"{file.name}.blobs", f"{file.name}.index", file.name):
                if (made / name).exists():
                    os.replace(made / name, file.parent / name)
        finally:
            shutil.rmtree(made, ignore_errors=True)
    return kept


def _recover(folder: Path, file: Path) -> None:
    try:
        repozo.do_recover(_options(folder, output=str(file)))
        _copy_blobs(folder / BLOBS, Path(f"{file}.blobs"))
    except REPOZO_ERRORS as error:
        raise DaemonException(f"the backup in {folder} cannot be restored: {error}") from error
    database = open_database(f"file://{file}")
    try:
        transact(database, begin_epoch, note="daemon: restored")
    finally:
        database.close()


def made_at(file: Path) -> Path:
    """Return the folder in which *file* is made anew before it is put in its place."""
    return Path(f"{file}.restoring")


def begin_epoch(connection: Connection) -> None:
    """Begin a new epoch of each agent, as after a restore."""
    position.SCHEMA.get(connection).begin_epoch()
    # Positions since the backup are given again: targets must not take the new records for old.
    for agent in SyncManager.getDBInstance(connection).getAllAgents().values():
        if isinstance(agent, PushSyncAgent):
            agent.delivery_state.end_epoch()


def put_aside(file: Path) -> Path | None:
    """Keep *file* and its blobs under another name, which is returned; None without one."""
    if not file.exists():
        return None
    kept = Path(f"{file}.{nowutc():%Y%m%d%H%M%S}.old")
    for each, name in ((Path(f"{file}.blobs"), Path(f"{kept}.blobs")), (file, kept)):
        if each.exists():
            each.rename(name)
    for suffix in (".index", ".turn"):
        Path(f"{file}{suffix}").unlink(missing_ok=True)
    return kept


@contextmanager
def _alone(file: Path) -> Iterator[None]:
    with open(f"{file}.lock", "ab", opener=opener) as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DaemonException(
                f"{file} is in use: stop the daemon and all that has it open"
            ) from None
        yield


def _copy_blobs(source: Path, target: Path) -> None:
    """Copy the blobs that *target* does not have; a committed one never changes."""
    private_folder(target)
    for where, folders, names in os.walk(source):
        folders[:] = [name for name in folders if name != "tmp"]
        to = target / Path(where).relative_to(source)
        private_folder(to)
        for name in names:
            if name.endswith(".lock") or (to / name).exists():
                continue
            shutil.copy2(Path(where, name), to / f"{name}.part")
            os.replace(to / f"{name}.part", to / name)


def _options(folder: Path, **more: object) -> Namespace:
    given = {"full": False, "gzip": False, "quick": False, "killold": False, "date": None}
    return Namespace(repository=str(folder), withverify=True, **{**given, **more})
