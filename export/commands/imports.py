"""The command of imports: `indico_export import FILE`."""

from __future__ import annotations

from argparse import Namespace

from ZODB.Connection import Connection

from export.commands.words import Commands, add_verb
from export.imports.indico import import_event, read_file
from export.model.catalogue import catalogue


def add_commands(commands: Commands) -> None:
    """Add the command of imports."""
    load = add_verb(commands, "import", "take over an event from a file", _import)
    load.add_argument("file", metavar="FILE", help="an Indico's answer, detail=contributions")
    load.add_argument("--replace", action="store_true", help="replace an event of the same id")
    load.set_defaults(note="import {file}")


def _import(options: Namespace, connection: Connection) -> str:
    event = import_event(catalogue(connection), read_file(options.file), replace=options.replace)
    count = len(event.contributions)
    return f"imported event {event.getId()}: {event.getTitle()}, {count} contributions"
