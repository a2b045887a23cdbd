"""The inventory: everything there is, in an order that can be taken up again behind any key."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from ZODB.Connection import Connection

from export.model.catalogue import catalogue
from livesync.errors import AgentSettingException
from livesync.feed.manager import SyncManager
from livesync.objects.object_index import index_of
from livesync.objects.object_model import KINDS, parts, unique_id
from livesync.objects.watched_classes import table_of, watch_of
from livesync.records.reduction import STATUS_CREATED, Record
from scheduler.values.named_object import named_object

# Given a connection and the last key there was, empty at first, it yields keys in the order of
# texts, each with the objects that stand there.
Inventory = Callable[[Connection, str], Iterator[tuple[str, list[Any]]]]


EXPOSED = "\U0010ffff"
"""The beginning of the keys of exposed objects, which stand behind those of events."""


def everything(connection: Connection, behind: str) -> Iterator[tuple[str, list[Any]]]:
    """Yield the events of the catalogue, each with all that is in it, then the exposed objects."""
    for key, obj in _listed(connection, behind):
        yield key, [obj] if key.startswith(EXPOSED) else [obj, *parts(obj)]


def number_of_keys(connection: Connection, behind: str = "") -> int:
    """Return how many keys `everything` yields behind *behind*; what stands there is not loaded."""
    return sum(1 for _ in _listed(connection, behind))


def _listed(connection: Connection, behind: str) -> Iterator[tuple[str, Any]]:
    if not behind.startswith(EXPOSED):
        yield from catalogue(connection).events.items(behind, excludemin=bool(behind))
    _, last, last_id = behind.split("\0", 2) if behind.startswith(EXPOSED) else ("", "", "")
    for watched in sorted(table_of(connection).classes):
        index = index_of(connection, watched) if watched.fossil else None
        if index is not None and watched.name >= last:
            first = last_id if watched.name == last else ""
            for obj_id, obj in index.behind(first):
                yield f"{EXPOSED}\0{watched.name}\0{obj_id}", obj


def is_listed(connection: Connection, record: Record) -> bool:
    """Say whether `everything` lists the object of *record*."""
    obj_id = str(record[1])
    if record.kind in KINDS:
        return catalogue(connection).event(obj_id.partition(".")[0]) is not None
    watched = watch_of(record[0])
    index = index_of(connection, watched) if watched is not None and watched.fossil else None
    return index is not None and index.find(obj_id) is not None


def would_list(connection: Connection, kind: str) -> bool:
    """Say whether `everything` lists objects of *kind*, if there are any."""
    watched = table_of(connection).of_kind(kind)
    return kind in KINDS or (watched is not None and bool(watched.fossil))


def inventory_named(name: str) -> Inventory:
    """Return the inventory `module:function`; raises AgentSettingException."""
    try:
        found: Inventory = named_object(name)
    except (ImportError, AttributeError, ValueError) as error:
        raise AgentSettingException(
            f"no inventory is found as {name!r}: give module:function ({error})"
        ) from None
    return found


def fresh(manager: SyncManager, objects: list[Any], position: int | None) -> list[Record]:
    """Return a record, as of something new, of each of *objects* that has an id.

    Objects that are excluded from livesync are left out.
    """
    named = ((obj, unique_id(obj)) for obj in objects if not manager.objectExcluded(obj))
    return [Record(obj, name, STATUS_CREATED, position) for obj, name in named if name is not None]
