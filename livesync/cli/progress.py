"""Progress: how far long work has come, on a terminal; nothing is shown elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from scheduler.values.legible import legible_line, terminal


@contextmanager
def progress(label: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
    """Give a function that is to be told how much is done, of *total* where that is known."""
    if not sys.stderr.isatty():
        yield lambda done: None
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(file=terminal(sys.stderr)), transient=True) as bar:
        task = bar.add_task(escape(legible_line(label)), total=total)
        yield lambda done: bar.update(task, completed=done)
