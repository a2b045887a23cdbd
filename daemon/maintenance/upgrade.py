"""Upgrades of the layout: the parts of a database that an older release has written."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any, NamedTuple

from ZODB.Connection import Connection

from scheduler.errors import SchemaTooNew
from scheduler.store.observed import ROOT_KEY
from scheduler.store.schema import Schema

MODULES = (
    "daemon.console.action_list",
    "daemon.maintenance.backup",
    "daemon.maintenance.packing",
    "export.auth.api_keys",
    "export.auth.browser_sessions",
    "export.auth.feeds",
    "export.auth.tokens",
    "export.fossils.installation",
    "export.model.catalogue",
    "export.model.repeated_calls",
    "export.model.ticket_index",
    "export.people.group",
    "export.people.roles",
    "export.people.user",
    "export.rooms.registry",
    "export.rooms.schedule",
    "livesync.capture.escapes",
    "livesync.feed.delivery_waits",
    "livesync.feed.manager",
    "livesync.objects.object_index",
    "livesync.objects.watched_classes",
    "livesync.track.commit_positions",
    "livesync.track.journal",
    "scheduler.inbox.bindings",
    "scheduler.inbox.claims",
    "scheduler.inbox.quarantine",
    "scheduler.inbox.signals",
    "scheduler.inbox.spool",
    "scheduler.leadership.roster",
    "scheduler.shelves.declared_schedules",
    "scheduler.shelves.figures",
    "scheduler.shelves.followers",
    "scheduler.shelves.module",
    "scheduler.store.pack_hold",
    "scheduler.store.position",
    "scheduler.store.read_set",
)
"""The modules that keep a part of the database, each under the name `SCHEMA`."""


class Step(NamedTuple):
    """A part of the database, its version there, and the one that this release writes."""

    part: str
    stored: int
    known: int


def steps(connection: Connection) -> list[Step]:
    """Return the upgrades that are due; raises SchemaTooNew for what a later release wrote."""
    found = []
    for name, (version, _) in sorted(connection.root().get(ROOT_KEY, {}).items()):
        known = _schemas().get(name)
        if known is not None and version != known.version:
            found.append(Step(name, version, known.version))
    for step in found:
        if step.stored > step.known:
            raise SchemaTooNew(
                f"the part {step.part!r} of this database has version {step.stored}, this "
                f"software knows versions up to {step.known}: install the release that wrote it"
            )
    return found


def upgrade(connection: Connection, progress: Callable[[int], None]) -> None:
    """Upgrade what an older release has written, each part in a transaction.

    *progress* is told how many parts are.
    """
    for number, step in enumerate(steps(connection), start=1):
        _schemas()[step.part].get(connection)
        progress(number)


def _schemas() -> dict[str, Schema[Any]]:
    found = (import_module(name).SCHEMA for name in MODULES)
    return {schema.name: schema for schema in found}
