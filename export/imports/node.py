"""A JSON object with where it stands in its file, so that messages can say that."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from export.errors import ImportRefused

MISSING = object()
NONE = type(None)
HALF = re.compile(r"[\ud800-\udfff]")
"""A lone surrogate: JSON can write it, UTF-8 cannot."""


@dataclass(frozen=True)
class Node:
    """A JSON object; whatever is asked of it and is not there raises ImportRefused.

    The outermost one stands nowhere, "".
    """

    data: dict[str, Any]
    where: str

    @classmethod
    def of(cls, value: Any, where: str) -> Node:
        """Return *value*, which must be an object. Raises ImportRefused."""
        if not isinstance(value, dict):
            raise ImportRefused(f"{where or 'the file'} is {_short(value)}; it must be an object")
        return cls(value, where)

    def at(self, key: str) -> str:
        """Return where the value of *key* stands."""
        return f"{self.where}.{key}" if self.where else key

    def get(self, key: str, *types: type, default: Any = MISSING) -> Any:
        """Return the value of *key*, of one of *types*."""
        value = self.data.get(key, default)
        if value is MISSING:
            raise ImportRefused(f"{self.at(key)} is missing")
        if key in self.data and (
            not isinstance(value, types) or (isinstance(value, bool) and bool not in types)
        ):
            wanted = " or ".join("null" if kind is NONE else kind.__name__ for kind in types)
            raise ImportRefused(f"{self.at(key)} is {_short(value)}; it must be {wanted}")
        if isinstance(value, str) and HALF.search(value):
            raise ImportRefused(f"{self.at(key)} has half a character in it: {_short(value)}")
        return value

    def text(self, key: str, default: Any = MISSING) -> str:
        """Return a text, "" for null."""
        return self.get(key, str, NONE, default=default) or ""

    def id(self, key: str = "id") -> str:
        """Return an id, which is a text or a number."""
        value = str(self.get(key, str, int))
        if not value:
            raise ImportRefused(f"{self.at(key)} is empty")
        return value

    def ids(self, key: str) -> list[str]:
        """Return the ids that are in the list *key*."""
        return [Node({where: member}, "").id(where) for where, member in self.members(key)]

    def node(self, key: str) -> Node | None:
        """Return the object *key*; None for null or without one."""
        value = self.get(key, dict, NONE, default=None)
        return None if value is None else Node(value, self.at(key))

    def nodes(self, key: str, optional: bool = True) -> Iterator[Node]:
        """Return the objects of the list *key*."""
        for where, member in self.members(key, optional):
            yield Node.of(member, where)

    def members(self, key: str, optional: bool = True) -> Iterator[tuple[str, Any]]:
        """Return what is in the list *key*, each with where it stands."""
        members = self.get(key, list, default=[] if optional else MISSING)
        for number, member in enumerate(members):
            yield f"{self.at(key)}[{number}]", member

    def date(self, key: str, default: Any = MISSING) -> datetime | None:
        """Return a `{date, time, tz}` as UTC; None for null."""
        value = self.get(key, dict, NONE, default=default)
        if value is None:
            return None
        node = Node(value, self.at(key))
        parts = [node.get(name, str) for name in ("date", "time", "tz")]
        try:
            moment = datetime.fromisoformat(f"{parts[0]}T{parts[1]}")
            return moment.replace(tzinfo=ZoneInfo(parts[2])).astimezone(UTC)
        except (ValueError, KeyError, OSError, OverflowError):
            raise ImportRefused(f"{node.where} is no date: {' '.join(parts)}") from None

    def minutes(self, key: str) -> timedelta:
        """Return a number of minutes as a duration; none for null."""
        minutes = self.get(key, int, float, NONE, default=None) or 0
        try:
            return timedelta(minutes=minutes)
        except (OverflowError, ValueError):
            raise ImportRefused(f"{self.at(key)} is out of range") from None


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
