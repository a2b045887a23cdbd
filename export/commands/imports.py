"""The command of imports: `indico_export import SOURCE...`."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Iterator
from itertools import chain

from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, SpinnerColumn, TextColumn
from ZODB import DB

from export.commands.words import Commands, add_command
from export.imports.draft import Item
from export.imports.load import NothingLoaded, load
from export.imports.source import items_of
from export.model.catalogue import ROOT

ABOUT = "take over events from files, or from an Indico's address"
SOURCE = "an Indico's JSON, iCalendar, a schedule as JSON or XML; or https://.../export/..."


def add_commands(commands: Commands) -> None:
    """Add the command of imports."""
    parser = add_command(commands, "import", ABOUT, _import)
    parser.add_argument("sources", metavar="SOURCE", nargs="+", help=SOURCE)
    parser.add_argument("--replace", action="store_true", help="replace events of the same ids")
    parser.add_argument("--strict", action="store_true", help="all of it, or nothing")
    parser.add_argument(
        "--category", default=ROOT, metavar="ID", help="for events that name none; default: root"
    )


def _import(options: Namespace, database: DB) -> int:
    items = chain.from_iterable(items_of(source) for source in options.sources)
    problems: list[str] = []
    try:
        for done in load(
            database,
            _followed(items),
            category=options.category,
            replace=options.replace,
            strict=options.strict,
            note=f"import {' '.join(options.sources)}"[:1000],
        ):
            for event in done.events:
                print(f"imported {event}")
            problems += done.problems
    except NothingLoaded as refused:
        problems = refused.problems
    for problem in problems:
        print(f"indico_export: {problem}", file=sys.stderr)
    if problems:
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        rest = "nothing was imported" if options.strict else "everything else was imported"
        print(f"indico_export: {count}; {rest}", file=sys.stderr)
    return 1 if problems else 0


def _followed(items: Iterator[Item]) -> Iterator[Item]:
    """Yield *items*; on a terminal, show how many have been read."""
    console = Console(stderr=True)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), MofNCompleteColumn())
    with Progress(
        *columns, console=console, disable=not console.is_terminal, transient=True
    ) as bar:
        task = bar.add_task("reading", total=None)
        for item in items:
            bar.update(task, advance=1, description=f"{item.source} {item.where}")
            yield item
