"""`indico_livesync watched|watch|unwatch|escaped`: what is captured, and what was not."""

from __future__ import annotations

import argparse
from functools import partial

from ZODB.Connection import Connection

from livesync.capture.check import CaptureCheck
from livesync.capture.escapes import SCHEMA, Escape, escapes_of
from livesync.capture.survey import survey as look_through
from livesync.capture.watch import enter, remove
from livesync.errors import WatchException
from livesync.objects.watched_class import WatchedClass
from livesync.objects.watched_classes import table_of
from scheduler.store import transact
from scheduler.values.console import as_json, as_table, as_text
from scheduler.values.named_object import named_object

HEADS = ("CLASS", "IDENTIFIED BY", "SHOWN BY", "AT", "FAULT")
OWN_ID = "its own id"


def watched(connection: Connection, options: argparse.Namespace) -> int:
    """Print the watched classes, with what of them is not found."""
    found = [
        {
            "class": each.name,
            "identify": each.identify,
            "fossil": each.fossil,
            "address": each.address and f"/export/{each.address}",
            "agents": each.agents,
            "fault": each.fault(),
        }
        for each in sorted(table_of(connection).classes)
    ]
    if options.json:
        print(as_json(found))
        return 0
    rows = [
        (
            row["class"],
            row["identify"] or OWN_ID,
            *(row["fossil"], row["address"], row["fault"]),
        )
        for row in found
    ]
    print(as_table(HEADS, rows) if rows else "no class is watched: see `indico_livesync watch`")
    return 0


def watch(connection: Connection, options: argparse.Namespace) -> int:
    """Watch a class, in all processes."""
    try:
        kind = named_object(options.name)
    except (ImportError, AttributeError, ValueError) as error:
        raise WatchException(
            f"no class is found as {options.name!r}: give module:Class ({error})"
        ) from None
    entry = WatchedClass.of(kind, options.identify)
    enter(connection.db(), [entry])
    print(f"class {entry.name} is watched")
    return 0


def unwatch(connection: Connection, options: argparse.Namespace) -> int:
    """Watch a class no more."""
    if not remove(connection.db(), [options.name]):
        known = ", ".join(each.name for each in table_of(connection).classes) or "none"
        raise WatchException(f"class {options.name!r} is not watched; watched are: {known}")
    print(f"class {options.name} is watched no more")
    return 0


def escaped(connection: Connection, options: argparse.Namespace) -> int:
    """Print the changes that were not recorded, 1 if there are any; or record them."""
    database = connection.db()
    CaptureCheck(database).check()
    found = transact(database, escapes_of)
    if options.record:
        for escape in found:
            gone = transact(database, partial(_record, escape), note="livesync: record escaped")
            _print_escape(escape, gone)
        return 0
    if options.json:
        print(as_json([{**each._asdict(), "date": each.date} for each in found]))
    else:
        print("\n".join(map(as_text, found)) or "no change escaped")
    return int(bool(found))


def survey(connection: Connection, options: argparse.Namespace) -> int:
    """Look for objects of exposed classes that are not known, and for those that are gone."""
    found = look_through(connection.db())
    print(f"{found.entered} objects found, {found.deleted} told to be deleted")
    return 0


def _record(escape: Escape, connection: Connection) -> list[int]:
    return SCHEMA.get(connection).record(escape)


def _print_escape(escape: Escape, gone: list[int]) -> None:
    print(f"transaction {escape.tid:016x}: {len(escape.objects) - len(gone)} changes recorded")
    if gone:
        numbers = ", ".join(f"{number:#x}" for number in gone)
        print(f"transaction {escape.tid:016x}: objects {numbers} are gone: tell of their deletion")
