"""A source: a file, or a live Indico's address, and the items that are in it."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

from export.errors import ImportRefused
from export.imports import remote
from export.imports.calendar import events
from export.imports.conference import schedule, schedule_xml
from export.imports.draft import BAD, Draft, DraftItem
from export.imports.indico import event_answer
from export.imports.node import Node

log = logging.getLogger(__name__)

KNOWN = "an Indico's JSON, iCalendar, or a schedule as JSON or XML"
PACKED = {b"\x1f\x8b": "gzip", b"PK\x03\x04": "zip", b"BZh": "bzip2", b"\xfd7zXZ": "xz"}
PAGE_TAGS = (b"<!doctype html", b"<html")


@dataclass(frozen=True)
class ImportOptions:
    """Options of an import, for all its sources."""

    timezone: str = ""
    """The zone of times for which a source gives none."""

    domain: str = ""
    """This installation's own domain; ids of calendars are kept from there only."""


def shown_source(source: str | Path) -> str:
    """Return *source* as messages and the log may show it."""
    return remote.shown(str(source)) if remote.is_address(str(source)) else str(source)


def items_of(source: str | Path, options: ImportOptions | None = None) -> Iterator[DraftItem]:
    """Return everything that is in *source*; which kind of file it is, its content says.

    Where it cannot be read, there is one item that says so when it is made.
    """
    is_empty = True
    shown, is_remote = shown_source(source), remote.is_address(str(source))
    is_public = is_remote and not remote.is_asked_as_somebody(str(source))
    try:
        for item in _items(str(source), options or ImportOptions()):
            is_empty = False
            yield replace(item, source=shown, is_public=is_public)
        if is_empty:
            yield _unreadable("there is nothing in it, or nothing that is public", shown)
    except OSError as error:
        yield _unreadable(f"it cannot be read: {error.strerror}", shown)
    except ImportRefused as problem:
        yield _unreadable(str(problem), shown)
    except BAD as error:
        log.info("%s cannot be read", shown, exc_info=True)
        yield _unreadable(f"it cannot be read: {error}", shown)


def _items(source: str, options: ImportOptions) -> Iterator[DraftItem]:
    if remote.is_address(source):
        answers = remote.answers(source)
        return chain.from_iterable(of_answer(answer, options.timezone) for answer in answers)
    content = Path(source).read_bytes()
    beginning = content.removeprefix(b"\xef\xbb\xbf").lstrip()
    if beginning[:15].upper() == b"BEGIN:VCALENDAR":
        return events.items(content, options.timezone, options.domain)
    if beginning[:100].lower().startswith(PAGE_TAGS):
        raise ImportRefused("it is a page for people (HTML), as servers send it instead of data")
    if beginning.startswith(b"<"):
        return schedule_xml.items(content, options.timezone)
    for mark, name in PACKED.items():
        if content.startswith(mark):
            raise ImportRefused(f"it is compressed ({name}); unpack it first")
    if not beginning.startswith((b"{", b"[")):
        what = "it is empty" if not beginning else "it is none of the kinds that are known"
        raise ImportRefused(f"{what}: {KNOWN}")
    return of_answer(_json(content), options.timezone)


def of_answer(answer: Node, timezone: str = "") -> Iterator[DraftItem]:
    """Return what is in the JSON object *answer*. Raises ImportRefused."""
    return (
        schedule.items(answer, timezone)
        if "schedule" in answer.data
        else event_answer.items(answer)
    )


def _json(content: bytes) -> Node:
    try:
        return Node.of(json.loads(content), "")
    except (ValueError, RecursionError) as error:
        raise ImportRefused(f"it is not JSON: {error}") from None


def _unreadable(reason: str, source: str) -> DraftItem:
    def make() -> Draft:
        raise ImportRefused(reason)

    return DraftItem("file", make, source)
