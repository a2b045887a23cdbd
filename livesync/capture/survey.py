"""The survey looks through the whole database for the objects of exposed classes.

It enters those that were made before their class was exposed, and tells of those that nothing
refers to any more, whose removal nobody has announced.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import NamedTuple

from ZODB import DB
from ZODB.Connection import Connection
from ZODB.POSException import POSKeyError
from ZODB.utils import p64, u64

from livesync.capture.check import watched_as
from livesync.capture.recorder import note
from livesync.feed.manager import SyncManager
from livesync.objects.object_index import index_of
from livesync.objects.object_model import unique_id
from livesync.objects.watched_classes import table_of
from scheduler.clock import nowutc
from scheduler.storage.internals import stored_record
from scheduler.store import transact
from scheduler.store.read_view import read_view
from scheduler.store.stored_state import class_of, references

AT_ONCE = 500
ROOT = 0


class Surveyed(NamedTuple):
    """The result of a survey."""

    entered: int
    """How many objects were found that were not known by their ids."""

    deleted: int
    """How many were known and are told to be deleted, as nothing refers to them."""


def survey(database: DB) -> Surveyed:
    """Look through *database*, as of one transaction; raises IdentifyException."""
    with read_view(database) as view:
        found = set(_exposed(view))
        known = _known(view)
    entered = _in_parts(database, sorted(found - known), _enter, "enter")
    deleted = _in_parts(database, sorted(known - found), _delete, "tell of deletions")
    return Surveyed(entered, deleted)


def _exposed(view: Connection) -> Iterator[int]:
    """Yield the numbers of the objects of exposed classes to which the root leads."""
    table = table_of(view)
    seen, coming = {ROOT}, [ROOT]
    while coming:
        number = coming.pop()
        try:
            state = stored_record(view, p64(number))
        except POSKeyError:
            continue
        new = set(references(state)) - seen
        seen |= new
        coming.extend(new)
        watched = watched_as(table, ":".join(class_of(state)))
        if watched is not None and watched.fossil:
            yield number


def _known(view: Connection) -> set[int]:
    indexes = (index_of(view, each) for each in table_of(view).classes if each.fossil)
    return {u64(obj._p_oid) for index in indexes if index is not None for _, obj in index.behind()}


def _in_parts(
    database: DB, numbers: list[int], act: Callable[[Connection, int], None], what: str
) -> int:
    coming = iter(numbers)
    while part := list(islice(coming, AT_ONCE)):

        def work(connection: Connection, part: list[int] = part) -> None:
            for number in part:
                act(connection, number)

        transact(database, work, note=f"livesync: survey: {what}")
    return len(numbers)


def _enter(connection: Connection, number: int) -> None:
    obj = connection.get(p64(number))
    watched = table_of(connection).of(type(obj))
    index = None if watched is None else index_of(connection, watched)
    obj_id = unique_id(obj)
    if index is not None and obj_id is not None:
        index.put(obj_id, obj)


def _delete(connection: Connection, number: int) -> None:
    obj = connection.get(p64(number))
    second = int(nowutc().timestamp())
    note(SyncManager.getDBInstance(connection), second, obj, unique_id(obj), {"deleted"})
