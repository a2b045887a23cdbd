"""The takeover of events by `indico_export import`, which needs the extra `export`."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections import Counter
from collections.abc import Iterator
from itertools import chain
from typing import TextIO

from rich.console import Console
from rich.markup import escape
from rich.progress import MofNCompleteColumn, Progress, SpinnerColumn, TextColumn
from ZODB import DB

from export.imports.draft import DraftItem
from export.imports.indico.visibility import untold_in_words
from export.imports.loader import Loaded, NothingLoaded, load
from export.imports.source import ImportOptions, items_of, shown_source
from scheduler.values.console import as_json, counted
from scheduler.values.legible import legible_line, terminal

PROGRAM = "indico_export"


def take_over(options: Namespace, database: DB) -> int:
    """Import the events of the sources; return 1 where something was left out."""
    wish = ImportOptions(options.timezone or "", options.domain)
    items = chain.from_iterable(items_of(source, wish) for source in options.sources)
    whole = Loaded()
    try:
        for done in load(
            database,
            _followed(items),
            category=options.category,
            replace=options.replace,
            strict=options.strict,
            note=f"import {' '.join(map(shown_source, options.sources))}"[:1000],
        ):
            _tell(options, done.events, "imported ", sys.stdout)
            _tell(options, done.notes, f"{PROGRAM}: note: ", sys.stderr)
            for source, parts in done.untold.items():
                whole.untold.setdefault(source, Counter()).update(parts)
            whole.events += done.events
            whole.notes += done.notes
            whole.problems += done.problems
    except NothingLoaded as refused:
        whole.problems = refused.problems
    untold = [
        f"{source}: {untold_in_words(parts)}" for source, parts in whole.untold.items() if parts
    ]
    _tell(options, untold, f"{PROGRAM}: note: ", sys.stderr)
    _tell(options, whole.problems, f"{PROGRAM}: ", sys.stderr)
    if whole.problems:
        what = "everything else" if whole.events else "nothing"
        sentence = f"{counted(len(whole.problems), 'problem')}; {what} was imported"
        _tell(options, [sentence], f"{PROGRAM}: ", sys.stderr)
    if options.json:
        facts = {"events": whole.events, "notes": whole.notes + untold, "problems": whole.problems}
        print(as_json(facts))
    return 1 if whole.problems else 0


def _tell(options: Namespace, lines: list[str], before: str, stream: TextIO) -> None:
    """Print *lines* on *stream*, for people: programs are told all at the end."""
    if not options.json:
        for line in lines:
            print(legible_line(f"{before}{line}"), file=stream)


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
