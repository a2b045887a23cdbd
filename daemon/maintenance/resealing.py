"""Resealing: what is encrypted in the database is encrypted anew with the first key."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice

from ZODB import DB
from ZODB.Connection import Connection
from ZODB.utils import u64

from export.auth.api_keys import key_ring
from export.auth.feeds import feeds
from livesync import SyncManager
from livesync.agents.target import TargetAgent
from scheduler.errors import SchedulerConfigurationException, SecretUnreadable
from scheduler.states import TASK_STATUS_RUNNING
from scheduler.store import sealed_value, transact
from scheduler.store.encryption import FILE_VARIABLE, has_key
from scheduler.store.missing_class import UNREADABLE
from scheduler.store.sealed_value import sealed_values_of
from scheduler.store.stored_objects import records
from scheduler.tasks.base import BaseTask

log = logging.getLogger(__name__)

NOTE = "daemon: encrypt secrets"
# Objects that are changed in one commit.
BATCH = 50


@dataclass
class Resealed:
    """The objects that were encrypted anew, and those that were not, by their numbers."""

    changed: set[int] = field(default_factory=set)
    at_work: set[int] = field(default_factory=set)
    """Tasks that run: they are left to themselves."""
    unreadable: set[int] = field(default_factory=set)
    """Objects with a value that no key opens, or that cannot be loaded."""


def reseal(database: DB) -> None:
    """Encrypt the keys and passwords in the database with the first key, where there is one.

    A secret that cannot be read is logged, and stays unchanged.
    """
    if not has_key():
        return
    try:
        transact(database, _reseal, note=NOTE)
    except SecretUnreadable as error:
        log.error("secrets are not encrypted anew: %s", error)  # noqa: TRY400 (it says it all)


def reseal_all(database: DB, progress: Callable[[int], None] = lambda number: None) -> Resealed:
    """Encrypt all that is encrypted in the database with the first key.

    These are keys and passwords, and the sealed values of all objects: the arguments, results
    and checkpoints of tasks, payloads of signals, and what an application has sealed. *progress*
    is told how many objects were looked at. Raises SchedulerConfigurationException without a key,
    and SecretUnreadable where a key or password cannot be read.
    """
    if not has_key():
        raise SchedulerConfigurationException(
            f"there is no key to encrypt with: set ${FILE_VARIABLE} to the file with it"
        )
    transact(database, _reseal, note=NOTE)
    done = Resealed()
    for oids in _batches(database, progress):

        def reseal_some(connection: Connection, oids: tuple[bytes, ...] = oids) -> Resealed:
            return _resealed(connection, oids)

        found = transact(database, reseal_some, note=NOTE)
        done.changed |= found.changed
        done.at_work |= found.at_work
        done.unreadable |= found.unreadable
    return done


def _reseal(connection: Connection) -> None:
    for key in key_ring(connection):
        key.reseal()
    for feed in feeds(connection):
        feed.reseal()
    for agent in SyncManager.getDBInstance(connection).getAllAgents().values():
        if isinstance(agent, TargetAgent):
            agent.reseal()


def _batches(database: DB, progress: Callable[[int], None]) -> Iterator[tuple[bytes, ...]]:
    mark = sealed_value.__name__.encode()

    def with_values() -> Iterator[bytes]:
        for number, (oid, record) in enumerate(records(database.storage), 1):
            progress(number)
            if mark in record:
                yield oid

    oids = with_values()
    while batch := tuple(islice(oids, BATCH)):
        yield batch


def _resealed(connection: Connection, oids: tuple[bytes, ...]) -> Resealed:
    done = Resealed()
    for oid in oids:
        try:
            obj = connection.get(oid)
            if isinstance(obj, BaseTask) and obj.getStatus() == TASK_STATUS_RUNNING:
                done.at_work.add(u64(oid))
            elif sum(value.reseal() for value in sealed_values_of(obj)):
                obj._p_changed = True
                done.changed.add(u64(oid))
        except (SecretUnreadable, *UNREADABLE):
            done.unreadable.add(u64(oid))
    return done
