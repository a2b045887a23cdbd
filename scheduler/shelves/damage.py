"""Damage: the parts of the scheduler's own data that cannot be read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from BTrees.Length import Length
from persistent import Persistent
from ZODB.Connection import Connection

from scheduler.inbox import bindings, claims, quarantine, signals, spool
from scheduler.log.append_log import AppendLog
from scheduler.log.segment import Segment, SegmentLeaf, SegmentPages
from scheduler.queue import PersistentWaitingQueue, TimeOrder
from scheduler.shelves import declared_schedules, followers, module
from scheduler.shelves.conflict_stats import ConflictStats
from scheduler.shelves.declared_schedules import DeclaredSchedules
from scheduler.shelves.ended_index import TaskIndex
from scheduler.shelves.key_rates import KeyRates
from scheduler.shelves.named_queues import NamedQueues
from scheduler.shelves.unique_keys import UniqueKeys
from scheduler.storage.outage import is_transient
from scheduler.store.missing_class import UNREADABLE, described, loaded_object, reason_of


class ShelfDamaged(Exception):  # noqa: N818 (what has happened)
    """A part of the scheduler's own data cannot be read."""


# The classes whose instances each have the attributes of a fresh one.
SHELVES: tuple[type[Persistent], ...] = (
    *(module.SchedulerModule, PersistentWaitingQueue, NamedQueues, TaskIndex, UniqueKeys),
    *(KeyRates, DeclaredSchedules, signals.Signals, followers.Followers),
    *(ConflictStats, claims.RunningList, quarantine.Quarantine, bindings.Bindings, spool.Spool),
    AppendLog,
)
_OWN = (*SHELVES, TimeOrder, Segment, SegmentPages, SegmentLeaf)


def fault_of(part: Persistent) -> str:
    """Return which object of the structure of *part* cannot be read, and why; empty for none.

    All nodes of its trees are loaded; the tasks that stand there are not.
    """
    seen: set[bytes] = set()
    pending = [part]
    while pending:
        obj = pending.pop()
        if obj._p_oid is None or obj._p_oid in seen:
            continue
        seen.add(obj._p_oid)
        fault = own_fault_of(obj)
        if fault:
            return fault
        pending += [each for each in _within(obj.__getstate__()) if is_own(each)]
        obj._p_deactivate()
    return ""


def own_fault_of(obj: Persistent) -> str:
    """Return why the object *obj* itself cannot be read; empty if it can."""
    try:
        obj._p_activate()
        _check(obj)
    except Exception as error:
        if is_transient(error):
            raise
        return f"{described(obj)} cannot be read: {reason_of(error)}"
    return ""


def is_damaged(connection: Connection) -> bool:
    """Return whether an object of the scheduler's own data cannot be read."""
    return any(fault_of(root) for root in roots(connection))


def is_of_shelves(error: BaseException, connection: Connection) -> bool:
    """Return whether *error* says that a part of the scheduler's own data cannot be read."""
    if isinstance(error, ShelfDamaged):
        return True
    obj = loaded_object(error) if isinstance(error, UNREADABLE) else None
    # An application has such trees, too.
    return obj is not None and is_own(obj) and is_damaged(connection)


def roots(connection: Connection) -> list[Any]:
    """Return the parts of the scheduler's own data that stand below the root by themselves."""
    schemas = (
        *(module.SCHEMA, claims.SCHEMA, quarantine.SCHEMA, bindings.SCHEMA, spool.SCHEMA),
        *(declared_schedules.SCHEMA, signals.SCHEMA, followers.SCHEMA),
    )
    return [schema.get(connection) for schema in schemas if schema.exists(connection)]


def _check(obj: Persistent) -> None:
    if isinstance(obj, SHELVES):
        is_foreign = bool(vars(type(obj)()).keys() - vars(obj).keys())
    elif isinstance(obj, Segment):
        is_foreign = not obj.is_whole()
    else:
        is_foreign = isinstance(obj, Length) and not isinstance(obj.value, int)
    if is_foreign:
        raise ValueError("its record is that of another object")


def _within(state: Any) -> Iterator[Persistent]:
    """Yield the objects to which *state* refers."""
    if isinstance(state, Persistent):
        yield state
    elif isinstance(state, tuple | list):
        for part in state:
            yield from _within(part)
    elif isinstance(state, dict):
        yield from _within(tuple(state.values()))


def is_own(obj: Persistent) -> bool:
    """Return whether *obj* is of a class that the scheduler's own data consists of."""
    return isinstance(obj, _OWN) or type(obj).__module__.startswith("BTrees.")
