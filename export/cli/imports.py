"""The command of imports: `indico_export import SOURCE...`.

Exit status: 0 all of it went in, 1 something was left out, 2 wrong usage.
"""

from __future__ import annotations

import argparse
import os
import sys
from argparse import Namespace
from collections import Counter
from collections.abc import Iterator
from itertools import chain

from rich.console import Console
from rich.markup import escape
from rich.progress import MofNCompleteColumn, Progress, SpinnerColumn, TextColumn
from ZODB import DB

from export.cli.parser import Commands, add_command
from export.imports.calendar.zones import zone_named
from export.imports.draft import DraftItem
from export.imports.ids import REACHABLE
from export.imports.indico.visibility import untold_in_words
from export.imports.loader import NothingLoaded, load
from export.imports.source import ImportOptions, items_of, shown_source
from export.model.catalogue import ROOT
from scheduler.values.legible import legible_line, terminal

ABOUT = "take over events from files, or from an Indico's address"
DOMAIN = "EXPORT_DOMAIN"
SOURCE = "an Indico's JSON, iCalendar, a schedule as JSON or XML; or https://.../export/..."


def add_commands(commands: Commands) -> None:
    """Add the command of imports."""
    parser = add_command(commands, "import", ABOUT, _import)
    parser.add_argument("sources", metavar="SOURCE", nargs="+", help=SOURCE)
    parser.add_argument(
        "--replace", action="store_true", help="replace events that came from there before"
    )
    parser.add_argument("--strict", action="store_true", help="all of it, or nothing")
    parser.add_argument(
        "--category",
        type=_id,
        default=ROOT,
        metavar="ID",
        help="for events that name none; default: root",
    )
    parser.add_argument("--timezone", type=_zone, metavar="ZONE", help="of times that have none")
    parser.add_argument(
        "--domain",
        default=os.environ.get(DOMAIN, ""),
        metavar="NAME",
        help=f"this installation's own, whose ids are kept; default: ${DOMAIN}",
    )


def _zone(name: str) -> str:
    zone = zone_named(name)
    if zone is None:
        raise argparse.ArgumentTypeError(f"no zone {name!r}; a zone is as Europe/Zurich")
    return zone.key


def _id(name: str) -> str:
    if not REACHABLE.fullmatch(name):
        raise argparse.ArgumentTypeError(f"no id {name!r}; an id has letters, digits and _ only")
    return name


def _import(options: Namespace, database: DB) -> int:
    wish = ImportOptions(options.timezone or "", options.domain)
    items = chain.from_iterable(items_of(source, wish) for source in options.sources)
    problems: list[str] = []
    untold: dict[str, Counter[str]] = {}
    count = 0
    try:
        for done in load(
            database,
            _followed(items),
            category=options.category,
            replace=options.replace,
            strict=options.strict,
            note=f"import {' '.join(map(shown_source, options.sources))}"[:1000],
        ):
            for event in done.events:
                print(legible_line(f"imported {event}"))
            for note in done.notes:
                _report(f"note: {note}")
            for source, parts in done.untold.items():
                untold.setdefault(source, Counter()).update(parts)
            count += len(done.events)
            problems += done.problems
    except NothingLoaded as refused:
        problems = refused.problems
    for source, parts in untold.items():
        if parts:
            _report(f"note: {source}: {untold_in_words(parts)}")
    for problem in problems:
        _report(problem)
    if problems:
        told = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        _report(f"{told}; {'everything else' if count else 'nothing'} was imported")
    return 1 if problems else 0


def _report(sentence: str) -> None:
    print(legible_line(f"indico_export: {sentence}"), file=sys.stderr)


def _followed(items: Iterator[DraftItem]) -> Iterator[DraftItem]:
    """Yield *items*; on a terminal, show how many have been read."""
    console = Console(file=terminal(sys.stderr))
    columns = (SpinnerColumn(), TextColumn("{task.description}"), MofNCompleteColumn())
    with Progress(
        *columns, console=console, disable=not console.is_terminal, transient=True
    ) as bar:
        task = bar.add_task("reading", total=None)
        for item in items:
            bar.update(
                task, advance=1, description=escape(legible_line(f"{item.source} {item.where}"))
            )
            yield item
