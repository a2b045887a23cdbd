"""Steps: the parts of one transaction, of which each can fail alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from ZODB.Connection import Connection

from scheduler.shelves.damage import ShelfDamaged, is_of_shelves
from scheduler.storage.internals import registered_objects
from scheduler.storage.outage import is_transient
from scheduler.store.missing_class import EXITS, reason_of
from scheduler.tasks.size import size_of

Result = TypeVar("Result")


class StepFailed(Exception):  # noqa: N818 (what has happened)
    """A step failed that cannot be undone alone; the transaction is to be repeated carefully."""


class Steps:
    """Takes the steps of the open transaction of *connection*.

    When all goes well, nothing but the steps is done. Only where the transaction *is_careful*,
    each step has a savepoint, to which it is rolled back if it fails. Where it *is_strict*, a
    conflict or an outage in a step is a failure of that step alone: the code of a task raises it.
    """

    def __init__(
        self, connection: Connection, *, is_careful: bool, is_strict: bool = False
    ) -> None:
        self._connection = connection
        self._is_careful = is_careful or is_strict
        self._is_strict = is_strict
        self.has_more = False
        """Whether a step may have put something into the spool, for the next tick."""

    def take(self, step: Callable[[], Result], failed: Callable[[Exception], Result]) -> Result:
        """Return what *step* returns; where it fails, undo it and return what *failed* returns.

        Raises conflicts and outages of the database as they are, and StepFailed for the rest
        where the transaction is not careful.
        """
        if not self._is_careful:
            return self._take_plainly(step)
        self._check_storable()
        savepoint = self._connection.transaction_manager.savepoint(optimistic=True)
        try:
            result = _done(step)
            self._check_storable()
        except Exception as error:
            is_passing = is_transient(error) and not self._is_strict
            if is_passing or is_of_shelves(error, self._connection):
                raise
            savepoint.rollback()
            return failed(error)
        return result

    def _check_storable(self) -> None:
        # A savepoint that meets what cannot be stored spoils the whole transaction.
        for obj in registered_objects(self._connection):
            size_of(obj.__getstate__())

    def _take_plainly(self, step: Callable[[], Result]) -> Result:
        try:
            return _done(step)
        except Exception as error:
            if is_transient(error) or isinstance(error, StepFailed | ShelfDamaged):
                raise
            raise StepFailed from error


def _done(step: Callable[[], Result]) -> Result:
    """Return what *step* returns; an exit in the code of a task fails the step, not the daemon."""
    try:
        return step()
    except EXITS as error:
        raise RuntimeError(f"the code of the task raised {reason_of(error)}") from error
