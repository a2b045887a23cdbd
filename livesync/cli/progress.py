"""Progress: how far long work has come, on a terminal; nothing is shown elsewhere."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from scheduler.values.legible import legible_line, terminal

LOOK_SECONDS = 0.2


@contextmanager
def progress(
    label: str, total: int | None = None, *, in_bytes: bool = False
) -> Iterator[Callable[[int], None]]:
    """Give a function that is to be told how much is done, of *total* where that is known."""
    if not sys.stderr.isatty():
        yield lambda done: None
        return
    from rich.console import Console  # it is imported only where somebody sees it
    from rich.markup import escape
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        MofNCompleteColumn,
        Progress,
        SpinnerColumn,
        TextColumn,
        TimeElapsedColumn,
    )

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        *(() if total is None else (BarColumn(),)),
        DownloadColumn() if in_bytes else MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(file=terminal(sys.stderr)), transient=True) as bar:
        task = bar.add_task(escape(legible_line(label)), total=total)
        yield lambda done: bar.update(task, completed=done)


@contextmanager
def growth(label: str, size: Callable[[], int], total: int | None = None) -> Iterator[None]:
    """Show the *size* in bytes of what the block writes, of *total* where that is known."""
    with progress(label, total, in_bytes=True) as tell:
        done = threading.Event()

        def look() -> None:
            while not done.wait(LOOK_SECONDS):
                tell(size())

        looking = threading.Thread(target=look, name="progress", daemon=True)
        looking.start()
        try:
            yield
        finally:
            done.set()
            looking.join()
