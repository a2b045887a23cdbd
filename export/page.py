"""A page: the part of many objects that a request asks for, in its order (reference 5.2)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from export.model.entry import natural
from export.request import Selection

NEVER = datetime.max.replace(tzinfo=UTC)
ORDERS: dict[str, Callable[[Any], Any]] = {
    "id": lambda obj: natural(str(obj.getId())),
    "start": lambda obj: _date(obj, "getStartDate"),
    "end": lambda obj: _date(obj, "getEndDate"),
    "title": lambda obj: obj.getTitle(),
}


@dataclass(frozen=True)
class Page:
    """Some objects; `complete` is false where the server's own limit cut others off."""

    members: list[Any]
    complete: bool


def cut(objects: Iterable[Any], selection: Selection) -> Page:
    """Return the page of *objects*: sorted if that is asked for, from the offset to the limit."""
    last = selection.offset + selection.limit
    if selection.order is not None or selection.descending:
        key = ORDERS.get(selection.order or "id", ORDERS["id"])
        objects = sorted(objects, key=key, reverse=selection.descending)
    found = list(islice(objects, selection.offset, last + 1))
    return Page(
        found[: selection.limit],
        complete=selection.limit_is_given or len(found) <= selection.limit,
    )


def _date(obj: Any, getter: str) -> datetime:
    """Return a date of *obj*; what has none, or none of its kind, is last."""
    date: datetime | None = getattr(obj, getter)() if hasattr(obj, getter) else None
    return date or NEVER
