"""A source: a file, or a live Indico's address, and the items that are in it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path

from export.errors import ImportRefused
from export.imports import frab, ics, indico, pentabarf, remote
from export.imports.draft import Draft, Item
from export.imports.node import Node

KNOWN = "an Indico's JSON, iCalendar, or a schedule as JSON or XML"


def items_of(source: str | Path) -> Iterator[Item]:
    """Return everything that is in *source*; which kind of file it is, its content says.

    Where it cannot be read, there is one item that says so when it is made.
    """
    is_empty = True
    try:
        for item in _items(str(source)):
            is_empty = False
            yield replace(item, source=str(source))
        if is_empty:
            yield _unreadable("there is nothing in it, or nothing that is public", str(source))
    except OSError as error:
        yield _unreadable(f"it cannot be read: {error.strerror}", str(source))
    except ImportRefused as problem:
        yield _unreadable(str(problem), str(source))


def _items(source: str) -> Iterator[Item]:
    if remote.is_address(source):
        return chain.from_iterable(of_answer(answer) for answer in remote.answers(source))
    content = Path(source).read_bytes()
    beginning = content.removeprefix(b"\xef\xbb\xbf").lstrip()
    if beginning[:15].upper() == b"BEGIN:VCALENDAR":
        return ics.items(content)
    if beginning.startswith(b"<"):
        return pentabarf.items(content)
    if not beginning.startswith((b"{", b"[")):
        raise ImportRefused(f"it is none of the kinds that are known: {KNOWN}")
    return of_answer(_json(content))


def of_answer(answer: Node) -> Iterator[Item]:
    """Return what is in the JSON object *answer*. Raises ImportRefused."""
    return frab.items(answer) if "schedule" in answer.data else indico.items(answer)


def _json(content: bytes) -> Node:
    try:
        return Node.of(json.loads(content), "")
    except (ValueError, RecursionError) as error:
        raise ImportRefused(f"it is not JSON: {error}") from None


def _unreadable(reason: str, source: str) -> Item:
    def make() -> Draft:
        raise ImportRefused(reason)

    return Item("file", make, source)
