"""Tasks for the tests that do something to the transaction they are run in."""

from __future__ import annotations

import transaction
from persistent import Persistent

from scheduler.store import current, transact
from scheduler.tasks import BoundTask, OneShotTask
from tests.scheduler import transaction_acts
from tests.scheduler.sample_tasks import count
from tests.scheduler.transaction_acts import neighbours


class Do(OneShotTask):
    """Does *what*, a function's name, between two changes, *where* it is told."""

    def __init__(self, start, what, where="run", passes_over=False):
        super().__init__(start)
        self.what = what
        self.where = where
        self.passes_over = passes_over

    def do(self, where):
        if where != self.where:
            return
        count(f"{self.what} began")
        try:
            getattr(transaction_acts, self.what)()
        except BaseException:
            if not self.passes_over:
                raise
        count(f"{self.what} ended")

    def run(self):
        self.do("run")

    def prepare(self):
        self.do("prepare")

    def tearDown(self):
        self.do("tearDown")


class DoAlone(Do):
    alone = True


class MakeSavepoint(OneShotTask):
    """Leaves the next task a savepoint, and changes something after it."""

    def run(self):
        neighbours.append(transaction.savepoint())
        count("count")


class RollBackItsRun(OneShotTask):
    """Takes back in `tearDown` what `run` changed."""

    def run(self):
        self._v_savepoint = transaction.savepoint()
        count("of the run")

    def tearDown(self):
        self._v_savepoint.rollback()


class Appointment(Persistent):
    def __init__(self, date):
        self.date = date


class AbortWhenDue(BoundTask):
    """Aborts for an object, when that says so."""

    def getStartOn(self):
        return self.subject.date

    def run(self):
        count("bound")
        transaction.abort()


class DoWhenAsked(BoundTask):
    """Does *what*, a function's name, while it is asked for its date at the end of its run."""

    is_running = False

    def __init__(self, subject, what):
        super().__init__(subject)
        self.what = what

    def getStartOn(self):
        if self.is_running:
            getattr(transaction_acts, self.what)()
        return self.subject.date

    def run(self):
        count("asked")
        self.is_running = True


class AbortAfterConflict(OneShotTask):
    """Has somebody else change what it changes, and aborts when it is run again."""

    def run(self):
        root = current().root()
        if "count" in root:
            count("count")
            transaction.abort()
        else:
            transact(current().db(), lambda connection: count("count"))
        count("count")
