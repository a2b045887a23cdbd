"""A page: the part of many objects that a request asks for, in its order (reference 5.2)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any, TypeAlias

from export.http.parameter import ALL
from export.http.selection import Selection
from export.model.entry import natural

Orders: TypeAlias = Mapping[str, Callable[[Any], Any]]

ORDERS: Orders = {
    "id": lambda obj: natural(str(obj.getId())),
    "start": lambda obj: _date(obj, "getStartDate"),
    "end": lambda obj: _date(obj, "getEndDate"),
    "title": lambda obj: obj.getTitle(),
}
"""Sort keys by the name of the order; objects whose key is None come last in both directions."""


@dataclass(frozen=True)
class Page:
    """Some objects; `complete` is false where the server's own limit cut others off.

    All there are come one by one, so that nobody has to hold them together.
    """

    members: Iterable[Any]
    complete: bool
    following: int | None = None
    """Where the next page begins; None for the last page."""


def cut(objects: Iterable[Any], selection: Selection, orders: Orders = ORDERS) -> Page:
    """Return the page of *objects*: sorted if that is asked for, from the offset to the limit."""
    last = selection.offset + selection.limit
    chosen = islice(in_order(objects, selection, orders), selection.offset, last + 1)
    if selection.limit == ALL:
        return Page(chosen, complete=True)
    found = list(chosen)
    return Page(
        found[: selection.limit],
        complete=selection.limit_is_given or len(found) <= selection.limit,
        following=last if len(found) > selection.limit else None,
    )


def in_order(
    objects: Iterable[Any], selection: Selection, orders: Orders = ORDERS
) -> Iterable[Any]:
    """Return *objects* in the order that is asked for; by id for an order that is not known."""
    if selection.order is None and not selection.descending:
        return objects
    key = orders.get(selection.order or "id", orders["id"])
    keyed = [(key(obj), obj) for obj in objects]
    known = [pair for pair in keyed if pair[0] is not None]
    known.sort(key=lambda pair: pair[0], reverse=selection.descending)
    return [obj for _, obj in known] + [obj for order, obj in keyed if order is None]


def _date(obj: Any, getter: str) -> datetime | None:
    """Return a date of *obj*; None for what has none, or none of its kind."""
    return getattr(obj, getter)() if hasattr(obj, getter) else None
