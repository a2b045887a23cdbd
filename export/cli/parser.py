"""How commands are added and what they share: the database, and answers for programs."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, NamedTuple, TypeAlias

from ZODB import DB
from ZODB.Connection import Connection

from scheduler.store import transact
from scheduler.values.command_value import HOW, given
from scheduler.values.console import answer, as_table


class Told(NamedTuple):
    """The answer of a command: a text for people, and plain values for programs."""

    text: str
    facts: Any


Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
Work: TypeAlias = Callable[[argparse.Namespace, Connection], Told]
Run: TypeAlias = Callable[[argparse.Namespace, DB], int]

# The verbs that make a database that is missing.
MAKERS = ("create", "import")


def add_noun(commands: Commands, noun: str, about: str) -> Commands:
    """Add the commands of *noun*, none so far; return them."""
    return commands.add_parser(noun, help=about).add_subparsers(required=True, metavar="COMMAND")


def add_command(commands: Commands, verb: str, about: str, run: Run) -> argparse.ArgumentParser:
    """Add a command that is *run* with the database, and returns the exit status."""
    parser = commands.add_parser(verb, help=about)
    parser.add_argument(
        "--database",
        type=given,
        metavar="URI",
        help=f"{HOW}, or itself; default: $SCHEDULER_DATABASE",
    )
    parser.add_argument("--json", action="store_true", help="print JSON, for programs")
    parser.set_defaults(run=run, makes_database=verb in MAKERS)
    return parser


def add_verb(
    commands: Commands, verb: str, about: str, work: Work, *names: str
) -> argparse.ArgumentParser:
    """Add a command that does *work* in one transaction, and tells what that returns.

    *names* are its positional arguments.
    """
    parser = add_command(commands, verb, about, partial(_in_one_transaction, work))
    for name in names:
        parser.add_argument(name, metavar=name.upper())
    parser.set_defaults(note=parser.prog.partition(" ")[2])
    return parser


def _in_one_transaction(work: Work, options: argparse.Namespace, database: DB) -> int:
    note = options.note.format(**vars(options))
    told = transact(database, partial(work, options), note=note)
    answer(options, told.facts, told.text)
    return 0


def add_secret(parser: argparse._ActionsContainer, name: str, about: str, **more: Any) -> None:
    """Add the option *name*, a secret that need not stand in the list of processes."""
    parser.add_argument(name, type=given, help=f"{about}: {HOW}, or itself", **more)


def listed(heads: Sequence[str], rows: Iterable[Sequence[Any]]) -> Told:
    """Return *rows* as a table, and by the names in *heads*."""
    found = list(rows)
    return Told(as_table(heads, found), [named(heads, row) for row in found])


def named(heads: Sequence[str], row: Sequence[Any]) -> dict[str, Any]:
    """Return the values of *row* by their names in *heads*."""
    return dict(zip(heads, row, strict=True))
