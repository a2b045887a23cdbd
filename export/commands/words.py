"""How commands are added and what they share: the database, and answers for programs."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

from ZODB.Connection import Connection

from scheduler.output import as_json, as_table

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
Work: TypeAlias = Callable[[argparse.Namespace, Connection], str]


def add_noun(commands: Commands, noun: str, about: str) -> Commands:
    """Add the commands of *noun*, none so far; return them."""
    return commands.add_parser(noun, help=about).add_subparsers(required=True, metavar="COMMAND")


def add_verb(
    commands: Commands, verb: str, about: str, work: Work, *names: str
) -> argparse.ArgumentParser:
    """Add a command that does *work* in one transaction, and prints what that returns.

    *names* are its positional arguments.
    """
    parser = commands.add_parser(verb, help=about)
    parser.add_argument("--database", metavar="URI", help="default: $SCHEDULER_DATABASE")
    for name in names:
        parser.add_argument(name, metavar=name.upper())
    parser.set_defaults(work=work, note=parser.prog.partition(" ")[2])
    return parser


def add_list(commands: Commands, about: str, work: Work, *names: str) -> argparse.ArgumentParser:
    """Add a command `list`, for people or with --json for programs."""
    parser = add_verb(commands, "list", about, work, *names)
    parser.add_argument("--json", action="store_true", help="for programs")
    return parser


def listed(options: argparse.Namespace, heads: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Return *rows* as a table, or as JSON if that was asked for."""
    if options.json:
        return as_json([dict(zip(heads, row, strict=True)) for row in rows])
    return as_table(heads, rows)
