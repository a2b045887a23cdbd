"""The guard of a worker: a task must not end its transaction, its connection, or its process."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import Context, copy_context
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import transaction
from transaction import Transaction, TransactionManager
from transaction._transaction import Status
from transaction.interfaces import TransactionFailedError
from ZODB import DB
from ZODB.Connection import Connection

from scheduler.errors import SchedulerException
from scheduler.storage.internals import is_synchronized, open_transaction, resources_of
from scheduler.storage.outage import abort_quietly, is_transient
from scheduler.store.schema import has_changes
from scheduler.store.snapshot import give_back_between

Result = TypeVar("Result")

_RAISE = "to undo what it has changed, raise an exception or roll back to a savepoint of its own"
_TRANSACT = "for commits of your own use scheduler.store.transact"
REFUSED = {
    "abort": f"a task must not abort its transaction, nor begin another: {_RAISE}",
    "doom": f"a task must not doom its transaction: {_RAISE}",
    "commit": "a task must not commit: what it changes is committed with its finished mark; "
    + _TRANSACT,
}
CONNECTION_CLOSED = "a task must not close the connection of its run"
DATABASE_CLOSED = "a task must not close the database of its run"
SECOND_CONNECTION = (
    "a task must not change objects through a second connection in the transaction of its run: "
    f"use scheduler.store.current(); {_TRANSACT}"
)
ROLLED_BACK = (
    "a task must not roll back to a savepoint that was made before it began: make one in the task"
)
REPLACED = f"a task must not replace the transaction of its run: {_TRANSACT}"
SAVEPOINT_FAILED = (
    "a savepoint of the task failed, and with it the transaction of its run: let the exception "
    "end the task"
)
DETACHED = (
    "a task must not take the connection of its run out of the transaction: use neither its "
    "abort() nor another transaction manager; other threads need connections of their own"
)
_HOOKS = ("_before_commit", "_after_commit", "_before_abort", "_after_abort")

_at_work = threading.local()


class Unclean(SchedulerException):
    """The transaction cannot be brought back to where a task began, which failed of *problem*."""

    def __init__(self, problem: BaseException) -> None:
        super().__init__(f"the transaction is lost with the task that failed in it: {problem!r}")
        self.problem = problem


@dataclass
class Start:
    """The state of the transaction in which a task begins, or goes on behind a checkpoint."""

    savepoint: Any
    hooks: tuple[int, ...]
    """How many hooks of each kind the transaction has."""


class Guard:
    """Calls the methods of tasks that are run on *connection*, in the thread that made it.

    They share the transaction of that thread, which the guard alone begins and ends. A task
    that tries to is refused, and fails even where it passes over the refusal.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._place = _place_of(connection.db())
        self._manager: TransactionManager = transaction.manager.manager
        self._process = os.getpid()
        self._unit: Any = None
        self._context: Context | None = None
        self._refusal = ""
        self._at: Any = None
        connection.close = self._close
        give_back_between(connection)
        _keep_open(connection.db())

    def release(self) -> None:
        """Allow the connection to be closed again."""
        del self._connection.close

    def begin(self) -> Transaction:
        """Begin a transaction that no task can end, and return it."""
        transaction.manager.manager = self._manager
        self._connection.transaction_manager = self._manager
        self._manager.explicit = False
        if not is_synchronized(self._manager, self._connection):
            self._manager.registerSynch(self._connection)
        self._refusal = ""
        _at_work.guard = self
        self._unit = self._manager.begin()
        for name in REFUSED:
            setattr(self._unit, name, partial(self._refuse_here, name, self._unit))
        return self._unit

    def commit(self) -> None:
        """Commit; raises what a hook or a data manager of a task does, Unclean for an exit."""
        self._unit.addBeforeCommitHook(self._raise_refusal)
        if list(self._unit.getAfterCommitHooks()):  # they may read
            self._connection.explicit_transactions = False
        try:
            Transaction.commit(self._unit)
        except Exception:
            raise
        except BaseException as error:
            raise Unclean(error) from error
        finally:
            give_back_between(self._connection)
        self._end()

    def abort(self) -> None:
        """Abort what there is, whatever it is."""
        unit = self._end()
        is_broken = unit is not None and unit.status == Status.COMMITFAILED
        self._manager.explicit = False
        if unit is not None and unit is not open_transaction(self._manager):
            abort_quietly(unit)
        abort_quietly(self._manager)
        if is_broken:
            # Objects that could not join it may be changed in memory.
            self._connection.cacheMinimize()

    def _end(self) -> Any:
        unit, self._unit = self._unit, None
        _at_work.guard = None
        for name in REFUSED if unit is not None else ():
            vars(unit).pop(name, None)
        return unit

    @property
    def unit(self) -> Transaction:
        """The present transaction."""
        return self._unit

    def start(self) -> Start:
        """Return the present state, which a task that fails is to leave behind."""
        savepoint = self._unit.savepoint(optimistic=True)
        return Start(savepoint, tuple(len(getattr(self._unit, name)) for name in _HOOKS))

    @contextmanager
    def in_this_thread(self) -> Iterator[None]:
        """Have the transaction of its task, whose code this thread runs inside the block."""
        manager, guard = transaction.manager.manager, guard_at_work()
        transaction.manager.manager, _at_work.guard = self._manager, self
        try:
            yield
        finally:
            if os.getpid() != self._process:
                os._exit(0)  # it was forked by the task, and would be a second worker
            transaction.manager.manager, _at_work.guard = manager, guard

    def commit_part(self) -> None:
        """Commit what the task at work has done so far; it goes on in another transaction.

        Raises what a commit raises, and Unclean where the task has spoiled the transaction.
        """
        self._check(self._at)
        self.commit()
        self.begin()
        self._at.savepoint, self._at.hooks = vars(self.start()).values()

    def is_on(self, database: DB) -> bool:
        """Say whether the tasks are run on *database*."""
        return self._connection.db() is database

    def refuse_close(self) -> None:
        """Refuse that a task closes the database; raises SchedulerException."""
        self._refuse(DATABASE_CLOSED)

    def enter(self) -> None:
        """Begin the calls of the next task, which sees no context variables of the last one."""
        self._context = copy_context()

    def call(self, work: Callable[[], Result], start: Start) -> Result:
        """Return what *work* returns; in a child process that it has forked, end that.

        Raises SchedulerException where it did what a task must not, and Unclean where that
        cannot be undone by itself.
        """
        self._refusal = ""
        self._at = start
        try:
            result = work() if self._context is None else self._context.run(work)
        except TransactionFailedError as error:
            raise Unclean(SchedulerException(SAVEPOINT_FAILED)) from error
        finally:
            if os.getpid() != self._process:
                os._exit(0)  # else it would go on as a second worker on the same connection
        self._check(start)
        return result

    def _check(self, start: Start) -> None:
        damage = self._damage(start)
        if damage:
            raise Unclean(SchedulerException(damage))
        self._raise_refusal()
        if any(self._is_second(resource) for resource in resources_of(self._unit)):
            raise SchedulerException(SECOND_CONNECTION)

    def undo(self, start: Start, problem: BaseException) -> None:
        """Take back what was done since *start* by a task that failed of *problem*.

        Raises Unclean where more than that would be taken back, or less.
        """
        if self._damage(start):
            raise Unclean(problem)
        try:
            start.savepoint.rollback()
        except BaseException as error:
            if is_transient(error):
                raise
            raise Unclean(problem) from error
        if self._damage(start):
            raise Unclean(problem)
        self._refusal = ""
        for name, count in zip(_HOOKS, start.hooks, strict=True):
            del getattr(self._unit, name)[count:]

    def _damage(self, start: Start) -> str:
        """Return what has become of the transaction that must not; empty where it is whole."""
        is_open = open_transaction(self._manager) is self._unit
        if transaction.manager.manager is not self._manager or not is_open:
            return REPLACED
        if self._unit.status != Status.ACTIVE:
            return SAVEPOINT_FAILED
        if not start.savepoint.valid:
            return ROLLED_BACK
        joined = sum(resource is self._connection for resource in resources_of(self._unit))
        is_ours = self._connection.transaction_manager is self._manager
        return "" if is_ours and joined == has_changes(self._connection) else DETACHED

    def _is_second(self, resource: Any) -> bool:
        return (
            isinstance(resource, Connection)
            and resource is not self._connection
            and _place_of(resource.db()) == self._place
        )

    def _refuse_here(self, name: str, unit: Transaction) -> None:
        if name == "abort" and guard_at_work() is not self:
            Transaction.abort(unit)  # whoever closes the database aborts what is at work
        else:
            self._refuse(REFUSED[name])

    def _refuse(self, why: str) -> None:
        self._refusal = why
        raise SchedulerException(why)

    def _raise_refusal(self) -> None:
        if self._refusal:
            raise SchedulerException(self._refusal)

    def _close(self, primary: bool = True) -> None:
        # Stands in front of the connection's own method.
        if guard_at_work() is self:
            self._refuse(CONNECTION_CLOSED)
        type(self._connection).close(self._connection, primary)


def guard_at_work() -> Guard | None:
    """Return the guard of the task that this thread runs."""
    return getattr(_at_work, "guard", None)


def _keep_open(database: DB) -> None:
    """Refuse that a task closes *database* as long as tasks are run on it."""
    if "close" not in vars(database):
        database.close = partial(_close_unless_at_work, database)


def _close_unless_at_work(database: DB) -> None:
    guard = guard_at_work()
    if guard is not None and guard.is_on(database):
        guard.refuse_close()
    del database.close
    database.close()


def _place_of(database: DB) -> object:
    """Return what tells whether two databases are the same data."""
    uri = str(getattr(database, "uri", "")).partition("?")[0]
    if uri.startswith("file://"):
        return os.path.realpath(uri.removeprefix("file://"))
    return uri or id(getattr(database, "storage", database))
