"""Gathering: the changes of a request, which follow the savepoints and aborts of transactions."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, NamedTuple

from transaction.interfaces import ITransaction, ITransactionManager

from livesync.objects.watched_class import Id


class Change(NamedTuple):
    """The actions of one object so far, and the id under which it was first seen."""

    obj: Any
    obj_id: Id | None
    owner: Any
    actions: frozenset[str]


Record = Callable[[list[Change]], None]


class ChangeCollector:
    """The changes of one request in one transaction, which it joins as a data manager.

    A rollback to a savepoint brings back what was gathered by then, an abort drops all of it.
    The commit records the changes that are still gathered, before anything is stored.
    """

    def __init__(self, transaction: ITransaction, manager: ITransactionManager, record: Record):
        self.transaction_manager = manager
        self.is_over = False
        self._transaction = transaction
        self._record = record
        self._changes: dict[int, Change] = {}
        transaction.join(self)

    def is_of(self, transaction: ITransaction) -> bool:
        """Say whether this gathers what happens in *transaction* from now on."""
        return not self.is_over and self._transaction is transaction

    def add(self, obj: Any, obj_id: Id | None, owner: Any, actions: set[str]) -> None:
        """Note *actions*; the id under which *obj* was first seen stays."""
        if not self._changes:
            self._transaction.addBeforeCommitHook(self.record)
        first = self._changes.get(id(obj)) or Change(obj, obj_id, owner, frozenset())
        first_owner = owner if first.owner is None else first.owner
        self._changes[id(obj)] = first._replace(actions=first.actions | actions, owner=first_owner)

    def record(self) -> None:
        """Record what was gathered in the current transaction."""
        changes, self._changes = self._changes, {}
        if changes:
            self._record(list(changes.values()))

    def drop(self) -> None:
        """Forget what was gathered."""
        self._changes = {}

    def savepoint(self) -> Savepoint:
        """Return what brings back the present state."""
        return Savepoint(self, dict(self._changes))

    def restore(self, changes: dict[int, Change]) -> None:
        """Have gathered *changes*, and nothing else."""
        self._changes = dict(changes)

    def abort(self, transaction: ITransaction) -> None:
        """Drop everything: the transaction is aborted, or what it did since this joined it."""
        self._changes = {}
        self.is_over = True

    tpc_abort = tpc_finish = abort

    def tpc_begin(self, transaction: ITransaction) -> None:
        """Do nothing: what was gathered is recorded by now."""

    commit = tpc_vote = tpc_begin

    def sortKey(self) -> str:  # noqa: N802 (the transaction package's name)
        """Return a place among the data managers of a commit."""
        return f"livesync:{id(self)}"


class Savepoint(NamedTuple):
    """The content of a gathering at one moment."""

    gathering: ChangeCollector
    changes: dict[int, Change]

    def rollback(self) -> None:
        """Bring that back."""
        self.gathering.restore(self.changes)


class Request:
    """The gatherings of one request, one for each transaction in which something changed."""

    def __init__(self, record: Record) -> None:
        self._record = record
        self._gatherings: list[ChangeCollector] = []

    def gathering_of(self, manager: ITransactionManager) -> ChangeCollector:
        """Return the gathering of the current transaction of *manager*."""
        current = manager.get()
        self._gatherings = [known for known in self._gatherings if not known.is_over]
        found = next((known for known in self._gatherings if known.is_of(current)), None)
        if found is None:
            found = ChangeCollector(current, manager, self._record)
            self._gatherings.append(found)
        return found

    def end(self) -> None:
        """Record what was gathered and is neither recorded nor dropped yet."""
        for gathering in self._gatherings:
            gathering.record()

    def drop(self) -> None:
        """Forget what was gathered."""
        for gathering in self._gatherings:
            gathering.drop()


current_request: ContextVar[Request | None] = ContextVar("livesync_request", default=None)
