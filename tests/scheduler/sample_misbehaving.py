"""Tasks for the tests that do what a task must not, or what kills their worker."""

from __future__ import annotations

import errno
import os
import signal
import time
from types import MappingProxyType

import transaction
from transaction.interfaces import TransientError
from ZEO.Exceptions import ClientDisconnected
from ZODB.POSException import ConflictError

from scheduler import Client
from scheduler.errors import OutcomeUnknown
from scheduler.store import current, transact
from scheduler.tasks import OneShotTask
from scheduler.tasks.retry import Retry
from tests.scheduler.sample_tasks import count


class CommitElsewhere(OneShotTask):
    """Commits in a transaction of its own, then fails."""

    def run(self):
        transact(current().db(), lambda connection: count("count"))
        raise ValueError("what was committed elsewhere stays")


class MeetConflict(OneShotTask):
    """Has somebody else change what it changes, in its first run only."""

    def run(self):
        root = current().root()
        seen = root.get("count", 0)
        if seen == 0:
            transact(current().db(), lambda connection: count("count"))
        root["count"] = seen + 1


class SomeError:
    """Errors that a task raises itself, of kinds that the database has, by their names."""

    kinds = MappingProxyType(
        {
            "conflict": lambda: ConflictError("its own"),
            "conflict over an object": lambda: ConflictError(oid=bytes(7) + b"\1"),
            "server away": lambda: ClientDisconnected("its own"),
            "disk full": lambda: OSError(errno.ENOSPC, "No space left on device"),
            "transient": lambda: TransientError("its own"),
            "outcome unknown": lambda: OutcomeUnknown("its own"),
        }
    )


class RaiseAlways(OneShotTask):
    """Raises an error of SomeError, in its run, in its commit, or for its unique key."""

    maxTries = 2
    retries = MappingProxyType({Exception: Retry(first=0.01)})

    def __init__(self, start, kind, where):
        super().__init__(start)
        self.kind = kind
        self.where = where

    def run(self):
        count("runs")
        if self.where == "run":
            raise SomeError.kinds[self.kind]()
        transaction.get().addBeforeCommitHook(self._raise)

    def _raise(self):
        raise SomeError.kinds[self.kind]()

    def uniqueKey(self):
        if self.where == "key":
            self._raise()


class ConflictWithItself(OneShotTask):
    """Changes in a transaction of its own what it changes itself."""

    maxTries = 1

    def run(self):
        count("count")
        transact(current().db(), lambda connection: count("count"))


leaked = []


class Leak(OneShotTask):
    """Counts, and keeps *megabytes* of memory for ever; writes its process's id to *file*."""

    def __init__(self, start, megabytes, file):
        super().__init__(start)
        self.megabytes = megabytes
        self.file = file

    def run(self):
        with open(self.file, "a") as file:
            file.write(f"{os.getpid()}\n")
        leaked.append(b"x" * (self.megabytes * 2**20))
        time.sleep(1.5)
        count("count")


class Die(OneShotTask):
    """Takes its worker process down with it."""

    def run(self):
        os._exit(7)


class DieOnce(OneShotTask):
    """Takes its worker process down with it, if *file* does not exist yet."""

    def __init__(self, start, file):
        super().__init__(start)
        self.file = file

    def run(self):
        count("count")
        if not os.path.exists(self.file):
            with open(self.file, "w"):
                os._exit(7)


class SelfEnqueuing(OneShotTask):
    """Enqueues another of its kind, for at once."""

    def run(self):
        Client().enqueue(SelfEnqueuing(self.getStartOn()))


class Prepare(OneShotTask):
    """Its preparation, or its tearing down, asks the process to exit."""

    def __init__(self, start, where):
        super().__init__(start)
        self.where = where

    def prepare(self):
        super().prepare()
        if self.where == "prepare":
            raise SystemExit(2)

    def run(self):
        count("count")

    def tearDown(self):
        if self.where == "tearDown":
            raise SystemExit(2)


class NamedLikeMarks(OneShotTask):
    """Has attributes of its own that are called as ordinary words are."""

    def __init__(self, start):
        super().__init__(start)
        self.fail = self.retry = self.delay = self.finish = self.expire = True

    def run(self):
        raise ValueError("to be recorded")


class DieAtTheDoor(OneShotTask):
    """Kills its worker once, before or after the note that the run begins."""

    maxTries = 2
    softLimit = property(lambda self: self._die("before"))

    def __init__(self, start, mark, when):
        super().__init__(start)
        self.mark = mark
        self.when = when

    def _work(self):
        self._die("after")
        return super()._work()

    def run(self):
        count("count")

    def _die(self, when):
        if when == self.when and not os.path.exists(self.mark):
            open(self.mark, "w").close()
            os.kill(os.getpid(), signal.SIGKILL)
