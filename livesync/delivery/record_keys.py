"""Marks and keys, by which records and changes are recognized when they are made again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any
from zlib import crc32

from livesync.records.reduction import is_record, name_of
from livesync.track.action import ActionWrapper

# Between the name of an object and the number of its record; nothing that an id has in it.
SEPARATOR = "\0"
UNNAMED = f"{SEPARATOR}#"


def marked(records: Iterable[Any]) -> Iterator[tuple[str, Any]]:
    """Yield *records* with a mark for each that is the same when they are made again."""
    seen: dict[str, int] = {}
    for number, record in enumerate(records):
        name = _object_of(record)
        if name is None:
            yield f"{UNNAMED}{number}", record
            continue
        count = seen[name] = seen.get(name, 0) + 1
        yield name if count == 1 else f"{name}{SEPARATOR}{count}", record


def key(record: Any) -> Any:
    """Return by what *record* is known when it comes back, perhaps as another tuple."""
    return (name_of(record), record[2]) if is_record(record) else id(record)


def mark_of_change(position: int, action: Any) -> str:
    """Return the mark of an entry of the track."""
    known = action.key() if isinstance(action, ActionWrapper) else action
    return f"change-{position}-{_digest(repr(known)):08x}"


def falls_to(mark: str, share: tuple[int, int]) -> bool:
    """Say whether the record with this *mark* belongs to *share* (number, total).

    All records of an object go to the same share, those without a name to the first one.
    """
    number, total = share
    name = mark.partition(SEPARATOR)[0]
    return total == 1 or (_digest(name) % total if name else 0) == number


def _object_of(record: Any) -> str | None:
    if isinstance(record, ActionWrapper):
        return f"{record.kind}:{record.getObjectId()}"
    return name_of(record)


def _digest(text: str) -> int:
    return crc32(text.encode(errors="surrogatepass"))
