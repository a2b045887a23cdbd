"""The signature of a commit: its tasks, and the objects that each of them changed.

It is in the transaction's metadata, under "tasks", where `scheduler.insight.commit_log` reads it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ZODB.Connection import Connection
from ZODB.utils import u64

from scheduler.runtime.code_version import code_version
from scheduler.storage.internals import registered_objects, savepoint_storage
from scheduler.tasks.base import BaseTask
from scheduler.tasks.handle import TaskHandle
from scheduler.tasks.naming import name_of

INFO_KEY = "tasks"
# Objects named in a transaction's metadata, which must stay below 64 kB; with more objects only
# the tasks are named.
OBJECTS_NAMED = 4000


class Signature(NamedTuple):
    """The entry of one task in a commit: its attempt, code version and the objects it changed.

    Objects that the task made have no number yet, so they are not among them. *changed* is
    None if there were too many to name, and if the task was the only one.
    """

    task: int
    attempt: int
    version: str
    changed: tuple[int, ...] | None


def signature_of(number: int, task: BaseTask | None, changed: tuple[int, ...] = ()) -> Signature:
    """Return the signature of the present attempt at *task*, None for one that is not loaded."""
    if task is None:
        return Signature(number, 0, "", changed)
    return Signature(number, TaskHandle(task).tries + 1, code_version(name_of(task)), changed)


def sign(unit: Any, signatures: list[Signature]) -> None:
    """Put the *signatures* into the metadata of the transaction *unit*."""
    is_small = sum(len(each.changed or ()) for each in signatures) <= OBJECTS_NAMED
    is_shared = len(signatures) > 1
    unit.setExtendedInfo(
        INFO_KEY,
        [
            [*each[:-1], list(each.changed or ()) if is_small and is_shared else None]
            for each in signatures
        ],
    )


def signatures_in(info: Mapping[str, Any]) -> list[Signature]:
    """Return the signatures in the metadata *info* of a transaction."""
    return [
        Signature(task, attempt, version, None if changed is None else tuple(changed))
        for task, attempt, version, changed in info.get(INFO_KEY, ())
    ]


class CommitWatch:
    """Records which objects the open transaction of *connection* changes from now on.

    Create it right after a savepoint.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._start = self._position()

    def changed(self) -> tuple[int, ...]:
        """Return the numbers of the objects changed so far, without those that were made."""
        oids = {obj._p_oid for obj in registered_objects(self._connection)}
        if self._position() != self._start:
            places = savepoint_storage(self._connection).index
            oids.update(oid for oid, place in places.items() if place >= self._start)
        return tuple(u64(oid) for oid in oids)

    def _position(self) -> int:
        storage = savepoint_storage(self._connection)
        return 0 if storage is None else int(storage.position)
