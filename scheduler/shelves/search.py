"""The search: pages of the tasks that a filter chooses, found by key in the shelves' own order.

A page begins behind its cursor, so it costs the same wherever it is. Where the filter asks for
what is written in the tasks themselves, these are looked at one by one for as long as the page's
time lasts; the page then has what was found, and a cursor for going on.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from time import monotonic
from typing import Any, NamedTuple

from scheduler.errors import BadCursor
from scheduler.shelves.bulk_order import BulkOrder
from scheduler.shelves.module import SchedulerModule
from scheduler.shelves.shelved import Position, Shelved
from scheduler.shelves.task_filter import TaskFilter
from scheduler.shelves.walk import (
    FAILED,
    FINISHED,
    NEVER,
    PARKED,
    QUARANTINE,
    RUNNING,
    SPOOLED,
    WAITING,
    walk,
)
from scheduler.storage.outage import is_transient

# Seconds that a page may take.
BUDGET = 0.06
PAGE_SIZE = 50
COUNTED = 10_000


class SearchPage(NamedTuple):
    """A page of what was found, in the order of the walk."""

    found: list[Shelved]
    cursor: str | None
    """Where to go on; None at the end."""

    looked_at: int
    """How many tasks were looked at for this page."""


class Count(NamedTuple):
    """How many tasks an order means, as far as they were counted."""

    number: int
    is_all: bool
    cursor: str | None = None
    """Where to go on; None where that is not worth while."""


def search(
    module: SchedulerModule,
    chosen: TaskFilter,
    cursor: str | None = None,
    size: int = PAGE_SIZE,
    budget: float = BUDGET,
) -> SearchPage:
    """Return the page of the tasks that *chosen* means behind *cursor*, at most *size* of them.

    It takes *budget* seconds, and one task more. A task that moves to another shelf between two
    pages may be met twice, or not at all. Raises BadCursor for a text that no page has given.
    """
    end = monotonic() + budget
    page: list[Shelved] = []
    looked_at = 0
    for found in walk(module, chosen, None if cursor is None else _position(cursor)):
        looked_at += 1
        if chosen.allows(found):
            page.append(found)
        if len(page) == size or monotonic() > end:
            return SearchPage(page, _cursor(found.position), looked_at)
    return SearchPage(page, None, looked_at)


def count(
    module: SchedulerModule,
    order: BulkOrder,
    at_most: int = COUNTED,
    budget: float = 1.0,
    before: Count | None = None,
) -> Count:
    """Return how many tasks *order* means, counted up to *at_most* and for *budget* seconds.

    A count goes on where the one *before* has ended. Raises BadCursor as `search` does.
    """
    end = monotonic() + budget
    number, cursor = (0, None) if before is None else (before.number, before.cursor)
    behind = None if cursor is None else _position(cursor)
    for found in walk(module, order.filter, behind):
        number += _is_meant(order, found)
        if number > at_most or monotonic() > end:
            rest = None if number > at_most else _cursor(found.position)
            return Count(min(number, at_most), False, rest)
    return Count(number, True)


def _is_meant(order: BulkOrder, found: Shelved) -> bool:
    try:
        return order.means(found)
    except Exception as error:
        if is_transient(error):
            raise
        return False


_NUMBER = range(2**63)
_DATE = range(NEVER + 1)
_RANKED = (_DATE, _NUMBER, _NUMBER)
_PLACES: dict[int, tuple[Any, ...]] = {
    RUNNING: (_NUMBER,),
    SPOOLED: (_NUMBER, str, _NUMBER),
    WAITING: _RANKED,
    PARKED: (str, float, *_RANKED),
    QUARANTINE: (_NUMBER,),
    FAILED: _RANKED,
    FINISHED: _RANKED,
}
"""The values that a place on each shelf consists of."""


def _cursor(position: Position) -> str:
    return urlsafe_b64encode(json.dumps(position).encode()).decode().rstrip("=")


def _position(cursor: str) -> Position:
    try:
        shelf, *place = json.loads(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        parts = zip(_PLACES[shelf], place, strict=True)
        is_sound = type(shelf) is int and all(_is_of(kind, value) for kind, value in parts)
    except (ValueError, TypeError, KeyError, RecursionError):
        is_sound = False
    if not is_sound:
        raise BadCursor(f"{cursor!r} is no cursor of a page: begin at the first one")
    return (shelf, *place)


def _is_of(kind: Any, value: Any) -> bool:
    if isinstance(kind, range):
        return type(value) is int and value in kind
    return type(value) is str if kind is str else type(value) in (int, float)
