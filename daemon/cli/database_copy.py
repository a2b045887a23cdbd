"""`indico_scheduler db copy`: one database is copied to another, and compared with it."""

from __future__ import annotations

import argparse
import sys
from datetime import datetime
from itertools import islice

import transaction
from ZODB.POSException import POSError

from daemon.config import Config
from daemon.errors import DaemonException
from daemon.maintenance import backup
from daemon.maintenance.copy_check import differences
from daemon.maintenance.database_copy import copy as copy_database
from daemon.maintenance.database_copy import unpacked
from livesync.cli.progress import progress
from scheduler.store import connect
from scheduler.store.existence import expect_database
from scheduler.values.console import answer, as_text

MOST_SHOWN = 20


def copy(options: argparse.Namespace, config: Config) -> int:
    """Copy FROM to TO with history and blobs, compare them, and print what differs."""
    if options.source == options.target:
        raise DaemonException("source and target are the same database")
    expect_database(options.source)
    number, until, found = copied(options.source, options.target, resume=options.resume)
    if options.new_epoch and not found:
        with connect(options.target) as connection:
            backup.begin_epoch(connection)
            transaction.commit()
    lines = found or ["source and target are the same up to there"]
    text = "\n".join([f"{number} transactions are copied, {up_to(until)}", *lines])
    answer(options, {"transactions": number, "until": until, "differences": found}, text)
    if found:
        print("the copy is not good: make it anew", file=sys.stderr)
    return int(bool(found))


def up_to(until: datetime | None) -> str:
    """Return up to when something was copied, in words; *until* is None for nothing at all."""
    return "up to its beginning" if until is None else f"up to {as_text(until)} UTC"


def copied(source: str, target: str, *, resume: bool) -> tuple[int, datetime | None, list[str]]:
    """Copy *source* to *target* and compare them, with progress.

    Return how many transactions were copied, up to when, and what differs. Raises DaemonException.
    """
    try:
        with unpacked(source):
            with progress("transactions copied") as tell:
                number, until = copy_database(source, target, tell, resume=resume)
            with progress("transactions compared") as tell:
                found = list(islice(differences(source, target, tell), MOST_SHOWN))
    except (OSError, POSError) as error:
        raise DaemonException(
            f"the copy is broken off, and --resume goes on with it: {type(error).__name__}: {error}"
        ) from error
    return number, until, found
