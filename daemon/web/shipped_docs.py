"""The documentation and examples that are shipped beside the code."""

from __future__ import annotations

from pathlib import Path


def shipped(name: str) -> Path | None:
    """Return the folder *name*: installed with the package, or beside it in the source tree."""
    here = Path(__file__).parents[1]
    return next((path for path in (here / name, here.parent / name) if path.is_dir()), None)
