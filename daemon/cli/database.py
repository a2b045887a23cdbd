"""`indico_scheduler db`: the database is looked at, verified, packed, backed up and restored."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from persistent.TimeStamp import TimeStamp
from ZODB import DB
from ZODB.Connection import Connection
from ZODB.FileStorage.FileStorage import FileStorageError
from ZODB.utils import z64

from daemon.cli.database_copy import copied, up_to
from daemon.config import Config
from daemon.errors import DaemonException
from daemon.maintenance import backup
from daemon.maintenance.packing import SCHEMA, pack
from daemon.maintenance.resealing import reseal_all
from daemon.maintenance.upgrade import steps, upgrade
from daemon.maintenance.verification import verify as verify_storage
from livesync.cli.progress import growth, progress
from scheduler.storage.private_files import private_folder
from scheduler.storage.stored_transactions import stored_transactions
from scheduler.store import connect
from scheduler.store.database_uri import file_of
from scheduler.store.observed import ROOT_KEY
from scheduler.tasks.attempt import moment
from scheduler.values.console import answer, as_lines

Facts = dict[str, Any]
COPY = "relay.fs"
"""The file that the database of a server is backed up to."""


def info(options: argparse.Namespace, config: Config) -> int:
    """Print the size, the numbers of objects and transactions, the history and the layout."""
    with connect(config.database) as connection:
        facts = _facts(connection)
    answer(options, facts, "\n".join(as_lines(facts)))
    return 0


def verify(options: argparse.Namespace, config: Config) -> int:
    """Read every object, and print those that cannot be read."""
    with connect(config.database) as connection, progress("objects read") as tell:
        number, found = verify_storage(connection.db().storage, tell)
    rows = [{"object": each.number, "fault": each.text} for each in found]
    lines = [f"object {each.number}: {each.text}" for each in found]
    lines.append(f"{number} objects are read, {len(found)} have a fault")
    answer(options, {"objects": number, "faults": rows}, "\n".join(lines))
    return int(bool(found))


def pack_now(options: argparse.Namespace, config: Config) -> int:
    """Drop the history that is older than asked for."""
    keep = config.pack.keep_history if options.keep is None else options.keep
    with connect(config.database) as connection:
        database: DB = connection.db()
        before = database.getSize()
        packed = Path(f"{file_of(config.database) or ''}.pack")
        try:
            with growth("packing", lambda: _size(packed), before):
                pack(database, keep)
        except FileStorageError as error:
            raise DaemonException(f"the database cannot be packed now: {error}") from error
        after = database.getSize()
    answer(options, {"before": before, "after": after}, f"packed from {before} to {after} bytes")
    return 0


def back_up(options: argparse.Namespace, config: Config) -> int:
    """Back the database up, with its blobs, as of one moment."""
    if file_of(config.database) is None:
        return _back_up_server(options, config)
    file = _file(config)
    before = _size(options.folder)
    with growth("backing up", lambda: _size(options.folder) - before):
        written = backup.back_up(file, options.folder, full=options.full)
    with connect(config.database) as connection:
        backup.note(connection.db(), file, options.folder)
    text = "there was nothing new" if written is None else f"{written} is written"
    answer(options, {"file": written}, text)
    return 0


def _back_up_server(options: argparse.Namespace, config: Config) -> int:
    """Copy the database of a server to a file, or bring that file up to date."""
    file = options.folder.absolute() / COPY
    private_folder(file.parent)
    if options.full:
        backup.put_aside(file)
    is_there = file.exists()
    number, until, found = copied(config.database, f"file://{file}", resume=is_there)
    facts = {"file": file, "transactions": number, "until": until, "differences": found}
    text = f"{file} has {number} more transactions, {up_to(until)}"
    answer(options, facts, "\n".join([*found, text]))
    return int(bool(found))


def upgrade_layout(options: argparse.Namespace, config: Config) -> int:
    """Print the upgrades of the layout that are due, and make them."""
    with connect(config.database) as connection:
        found = steps(connection)
        if not options.dry_run:
            with progress("parts upgraded", len(found)) as tell:
                upgrade(connection, tell)
    will = "is to be" if options.dry_run else "is"
    lines = [
        f"{each.part} {will} upgraded from version {each.stored} to {each.known}" for each in found
    ]
    text = "\n".join(lines) or "the layout is up to date"
    answer(options, [each._asdict() for each in found], text)
    return 0


def reseal(options: argparse.Namespace, config: Config) -> int:
    """Encrypt with the first key what is encrypted; 1 where something is left with another one."""
    with connect(config.database) as connection, progress("objects looked at") as tell:
        found = reseal_all(connection.db(), tell)
    lines = [f"{len(found.changed)} objects are encrypted anew"]
    lines += [
        f"task {number} is at work: run this again when it has ended"
        for number in sorted(found.at_work)
    ]
    lines += [
        f"object {number} cannot be read with these keys" for number in sorted(found.unreadable)
    ]
    facts = {name: sorted(numbers) for name, numbers in vars(found).items()}
    answer(options, facts, "\n".join(lines))
    return int(bool(found.at_work or found.unreadable))


def restore(options: argparse.Namespace, config: Config) -> int:
    """Put the newest backup in the place of the embedded database, which nobody may use."""
    file = _file(config)
    made = backup.made_at(file)
    with growth("restoring", lambda: _size(made)):
        kept = backup.restore(options.folder, file, force=options.force)
    answer(options, {"file": file, "kept": kept}, f"{file} is restored")
    if kept is not None and not options.json:
        print(f"the former one is kept as {kept}", file=sys.stderr)
    return 0


def _size(place: Path) -> int:
    """Return how many bytes the file *place* has, or the files of that folder; 0 without one."""
    if not place.is_dir():
        return place.stat().st_size if place.exists() else 0
    return sum(each.stat().st_size for each in place.iterdir() if each.is_file())


def _file(config: Config) -> Path:
    file = file_of(config.database)
    if file is None:
        raise DaemonException(
            "only the embedded database is restored so: `db copy --new-epoch file://FOLDER/"
            f"{COPY} URI` copies a backup into an empty database of the server"
        )
    if "blobstorage_dir" in config.database:
        raise DaemonException("blobs that stand apart from the file are not backed up with it")
    return file


def _facts(connection: Connection) -> Facts:
    database = connection.db()
    tids = list(_tids(database))
    day_ago = tids and TimeStamp(tids[-1]).timeTime() - 86400
    parts = connection.root().get(ROOT_KEY, {})
    packed = SCHEMA.get(connection).last if SCHEMA.exists(connection) else None
    return {
        "bytes": database.getSize(),
        "objects": database.objectCount(),
        "transactions": len(tids),
        "transactions of the last day": sum(TimeStamp(t).timeTime() >= day_ago for t in tids),
        "history from": moment(TimeStamp(tids[0]).timeTime()) if tids else None,
        "history to": moment(TimeStamp(tids[-1]).timeTime()) if tids else None,
        "packed": None if packed is None else moment(packed),
        "layout": [f"{name} {version}" for name, (version, _) in sorted(parts.items())],
    }


def _tids(database: DB) -> Iterator[bytes]:
    for found in stored_transactions(database.storage):
        if found.tid != z64:  # PostgreSQL keeps the beginning as a transaction
            yield found.tid
