"""The panel: a further table of the overview, of an application's own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

Rows: TypeAlias = Sequence[Sequence[Any]]


@dataclass(frozen=True)
class Panel:
    """A table: its title, the column heads, and the function that returns its rows."""

    title: str
    heads: Sequence[str]
    rows: Callable[[], Rows]
