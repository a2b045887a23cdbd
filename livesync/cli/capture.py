"""`indico_livesync watched|watch|unwatch|escaped`: what is captured, and what was not."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from functools import partial
from typing import Any

from ZODB.Connection import Connection

from livesync.capture.check import CaptureCheck
from livesync.capture.escapes import SCHEMA, Escape, escapes_of
from livesync.capture.survey import survey as look_through
from livesync.capture.watch import enter, remove
from livesync.errors import WatchException
from livesync.objects.watched_class import WatchedClass
from livesync.objects.watched_classes import table_of
from scheduler.store import transact
from scheduler.values.console import answer, as_table, as_text
from scheduler.values.named_object import named_object

HEADS = ("CLASS", "IDENTIFIED BY", "SHOWN BY", "AT", "FAULT")
OWN_ID = "its own id"


def watched(connection: Connection, options: argparse.Namespace) -> int:
    """Print the watched classes, with what of them is not found."""
    found = [_watched(each) for each in sorted(table_of(connection).classes)]
    rows = [
        (
            row["class"],
            row["identify"] or OWN_ID,
            *(row["fossil"], row["address"], row["fault"]),
        )
        for row in found
    ]
    none = "no class is watched: see `indico_livesync watch`"
    answer(options, found, as_table(HEADS, rows) if rows else none)
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
    answer(options, _watched(entry), f"class {entry.name} is watched")
    return 0


def unwatch(connection: Connection, options: argparse.Namespace) -> int:
    """Watch a class no more."""
    if not remove(connection.db(), [options.name]):
        known = ", ".join(each.name for each in table_of(connection).classes) or "none"
        raise WatchException(f"class {options.name!r} is not watched; watched are: {known}")
    answer(options, {"class": options.name}, f"class {options.name} is watched no more")
    return 0


def escaped(connection: Connection, options: argparse.Namespace) -> int:
    """Print the changes that were not recorded, 1 if there are any; or record them."""
    database = connection.db()
    CaptureCheck(database).check()
    found = transact(database, escapes_of)
    if options.record:
        done = [
            (each, transact(database, partial(_record, each), note="livesync: record escaped"))
            for each in found
        ]
        facts = [{**_escape(escape), "gone": gone} for escape, gone in done]
        lines = [line for escape, gone in done for line in _recorded(escape, gone)]
        answer(options, facts, "\n".join(lines) or "no change escaped")
        return 0
    text = "\n".join(map(as_text, found)) or "no change escaped"
    answer(options, [_escape(each) for each in found], text)
    return int(bool(found))


def survey(connection: Connection, options: argparse.Namespace) -> int:
    """Look for objects of exposed classes that are not known, and for those that are gone."""
    found = look_through(connection.db())
    text = f"{found.entered} objects found, {found.deleted} told to be deleted"
    answer(options, found._asdict(), text)
    return 0


def _record(escape: Escape, connection: Connection) -> list[int]:
    return SCHEMA.get(connection).record(escape)


def _watched(entry: WatchedClass) -> dict[str, Any]:
    return {
        "class": entry.name,
        "identify": entry.identify,
        "fossil": entry.fossil,
        "address": entry.address and f"/export/{entry.address}",
        "agents": entry.agents,
        "fault": entry.fault(),
    }


def _escape(escape: Escape) -> dict[str, Any]:
    return {**escape._asdict(), "date": escape.date}


def _recorded(escape: Escape, gone: list[int]) -> Iterator[str]:
    yield f"transaction {escape.tid:016x}: {len(escape.objects) - len(gone)} changes recorded"
    if gone:
        numbers = ", ".join(f"{number:#x}" for number in gone)
        yield f"transaction {escape.tid:016x}: objects {numbers} are gone: tell of their deletion"
