"""The inventory: everything there is, in an order that can be taken up again behind any key."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from ZODB.Connection import Connection

from export.model.catalogue import catalogue
from livesync.errors import AgentSettingException
from livesync.feed.manager import SyncManager
from livesync.objects.object_model import parts, unique_id
from livesync.records.reduction import STATUS_CREATED, Record
from scheduler.values.named_object import named_object

# Given a connection and the last key there was, empty at first, it yields keys in the order of
# texts, each with the objects that stand there.
Inventory = Callable[[Connection, str], Iterator[tuple[str, list[Any]]]]


def catalogued(connection: Connection, behind: str) -> Iterator[tuple[str, list[Any]]]:
    """Yield the events of the catalogue behind id *behind*, each with all that is in it, by id."""
    for event_id, event in catalogue(connection).events.items(behind, excludemin=bool(behind)):
        yield event_id, [event, *parts(event)]


def is_catalogued(connection: Connection, obj_id: str) -> bool:
    """Say whether `catalogued` lists what has this id, an event's or one below it."""
    return catalogue(connection).event(obj_id.partition(".")[0]) is not None


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

    Those that are excluded from livesync are left out.
    """
    named = ((obj, unique_id(obj)) for obj in objects if not manager.objectExcluded(obj))
    return [Record(obj, name, STATUS_CREATED, position) for obj, name in named if name is not None]
