"""The command `indico_export`: imports, users and groups with their rights, keys and tokens, rooms.

Exit status: 0 done, 1 bad input or database (lines on stderr say what), 2 bad usage.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from export.cli import (
    feeds,
    groups,
    imports,
    keys,
    registrants,
    reservations,
    rights,
    rooms,
    tokens,
    users,
)
from export.errors import ExportException
from export.model.listeners import subscribe_installed
from scheduler.errors import SchedulerException
from scheduler.store import open_database
from scheduler.store.existence import expect_database
from scheduler.values.completion import CompletionAction
from scheduler.values.console import refuse
from scheduler.values.extras import ExtraMissingError
from scheduler.values.legible import legible_output
from scheduler.values.masking import hidden
from scheduler.values.own_version import VersionAction

NOUNS = (imports, users, groups, rights, keys, feeds, tokens, rooms, reservations, registrants)


@legible_output()
def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit status."""
    options = _parser().parse_args(arguments)
    try:
        if not options.makes_database:
            expect_database(options.database)
        subscribe_installed()
        database = open_database(options.database)
        try:
            return int(options.run(options, database))
        finally:
            database.close()
    except (ExportException, ExtraMissingError, SchedulerException) as error:
        return refuse(options, "indico_export", hidden(str(error)), 1)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="indico_export", description="Fill the catalogue.")
    parser.add_argument("--version", action=VersionAction)
    parser.add_argument("--completion", action=CompletionAction)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for noun in NOUNS:
        noun.add_commands(commands)
    return parser


if __name__ == "__main__":
    sys.exit(main())
