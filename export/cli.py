"""The command `indico_export`: imports, and API keys.

Exit status: 0 done, 1 bad input or database (one line on stderr says what), 2 bad usage.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from ZODB import DB
from ZODB.Connection import Connection

from export.errors import ExportException
from export.imports.indico import import_event, read_file
from export.keys import key_ring
from export.model.catalogue import catalogue
from export.model.listeners import subscribe_installed
from scheduler.errors import SchedulerException
from scheduler.store import open_database, transact


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    options = _parser().parse_args(arguments)
    try:
        subscribe_installed()
        database = open_database(options.database)
        try:
            print(options.work(database, options))
        finally:
            database.close()
    except (ExportException, SchedulerException) as error:
        print(f"indico_export: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--database", metavar="URI", help="default: $SCHEDULER_DATABASE")
    parser = argparse.ArgumentParser(prog="indico_export", description="Fill the catalogue.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    load = commands.add_parser("import", parents=[common], help="take over an event from a file")
    load.add_argument("file", metavar="FILE", help="an Indico's answer, detail=contributions")
    load.add_argument("--replace", action="store_true", help="replace an event of the same id")
    load.set_defaults(work=_import)
    keys = commands.add_parser("key", help="API keys").add_subparsers(required=True)
    create = keys.add_parser("create", parents=[common], help="make a key; an old one ends")
    create.add_argument("--user", required=True, help="whom the key acts as")
    create.add_argument("--persistent", action="store_true", help="may sign without a timestamp")
    create.set_defaults(work=_create_key)
    return parser


def _import(database: DB, options: argparse.Namespace) -> str:
    node = read_file(options.file)

    def work(connection: Connection) -> str:
        event = import_event(catalogue(connection), node, replace=options.replace)
        count = len(event.contributions)
        return f"imported event {event.getId()}: {event.getTitle()}, {count} contributions"

    return transact(database, work, note=f"import {options.file}")


def _create_key(database: DB, options: argparse.Namespace) -> str:
    def work(connection: Connection) -> str:
        key = key_ring(connection).create(options.user, options.persistent)
        return f"key {key.key}\nsecret {key.secret}"

    return transact(database, work, note=f"create a key for {options.user}")


if __name__ == "__main__":
    sys.exit(main())
