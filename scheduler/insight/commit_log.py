"""The commit log: each commit of tasks names them, and the objects that each of them changed.

The names are in the transaction's metadata, under "tasks". They are read back from the history
of the storage; a storage without history has no commit log.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from persistent.TimeStamp import TimeStamp
from ZODB.Connection import Connection
from ZODB.POSException import POSKeyError
from ZODB.utils import p64, u64

from scheduler.errors import NoHistory
from scheduler.log.segment import Segment, SegmentLeaf, SegmentPage, SegmentPages
from scheduler.storage.stored_transactions import stored_transactions
from scheduler.store.snapshot import reading_storage
from scheduler.store.stored_state import class_of, references
from scheduler.tasks.occurrence import TaskOccurrence
from scheduler.tasks.recurring import OccurrenceLeaf, Occurrences
from scheduler.tasks.result import KeptResult
from scheduler.worker.commit_signature import Signature, signatures_in

# The classes of objects that are written beside a task's own changes.
BOOKKEEPING = {
    *(Segment, SegmentLeaf, SegmentPage, SegmentPages),
    *(TaskOccurrence, OccurrenceLeaf, Occurrences, KeptResult),
}
REVISIONS_READ = 1000


class Commit:
    """One transaction of the past, with the state of each object that it wrote."""

    def __init__(self, connection: Connection, tid: int, info: Mapping[str, Any]) -> None:
        self._connection = connection
        self.tid = tid
        self.user = _text(info.get("user_name", b""))
        self.description = _text(info.get("description", b""))
        self.signatures = signatures_in(info)
        self._states: dict[int, bytes] | None = None

    @property
    def date(self) -> datetime:
        """When it was committed, in UTC."""
        return datetime.fromtimestamp(TimeStamp(p64(self.tid)).timeTime(), UTC)

    @property
    def states(self) -> dict[int, bytes]:
        """The states that it wrote, by the number of the object."""
        if self._states is None:
            tid = p64(self.tid)
            units = stored_transactions(self._connection.db().storage, tid, tid)
            records = [record for unit in units for record in unit]
            self._states = {u64(record.oid): record.data or b"" for record in records}
        return self._states

    def made(self) -> set[int]:
        """Return the numbers of the objects that did not exist before."""
        return {number for number in self.states if self.before(number) is None}

    def before(self, number: int) -> tuple[bytes, bytes] | None:
        """Return the state of object *number* before this commit, and its serial, if any."""
        try:
            with reading_storage(self._connection.db()) as storage:
                loaded = storage.loadBefore(p64(number), p64(self.tid))
        except POSKeyError:
            return None
        return None if loaded is None else loaded[:2]

    def changed_by(self, signature: Signature) -> set[int] | None:
        """Return the numbers of the objects that the task of *signature* changed or made.

        The task itself is left out. None if the commit does not name them.
        """
        own = set(self.states) - {signature.task}
        if len(self.signatures) > 1:
            if signature.changed is None:
                return None
            own = set(signature.changed) & set(self.states)
            own |= self._reached({signature.task, *own}, self.made())
        return own - {each.task for each in self.signatures} - bookkeeping(self.states)

    def _reached(self, start: set[int], among: set[int]) -> set[int]:
        reached: set[int] = set()
        coming = [number for number in start if number in self.states]
        while coming:
            new = among.intersection(references(self.states[coming.pop()])) - reached
            reached |= new
            coming.extend(new)
        return reached


def commits_of(connection: Connection, number: int) -> Iterator[Commit]:
    """Yield the commits that wrote object *number*, newest first.

    Raises NoHistory for a storage that keeps none, KeyError for an unknown object.
    """
    database = connection.db()
    if not database.supportsUndo():
        raise NoHistory(
            f"the database {database.getName()} keeps no history: use a FileStorage, "
            "or PostgreSQL with keep_history=true"
        )
    try:
        with reading_storage(database) as storage:
            revisions = storage.history(p64(number), REVISIONS_READ)
    except POSKeyError:
        raise KeyError(number) from None
    for revision in revisions:
        yield Commit(connection, u64(revision["tid"]), revision)


def task_commits(connection: Connection, task: int) -> Iterator[tuple[Commit, Signature]]:
    """Yield the commits of the task with number *task*, newest first, each with its entry."""
    for commit in commits_of(connection, task):
        for signature in commit.signatures:
            if signature.task == task:
                yield commit, signature


def culprits(commit: Commit, number: int) -> list[Signature]:
    """Return the tasks of *commit* that changed object *number*, or may have changed it."""
    changed = [(each, commit.changed_by(each)) for each in commit.signatures]
    return [each for each, numbers in changed if numbers is None or number in numbers]


def bookkeeping(states: Mapping[int, bytes]) -> set[int]:
    """Return those of *states* that belong to logs: instructions, changes, ended occurrences."""
    classes = {number: class_of(state) for number, state in states.items()}
    paths = {(cls.__module__, cls.__name__) for cls in BOOKKEEPING}
    logs = {number for number, path in classes.items() if path in paths}
    # The register of segments is a plain bucket, which is recognized by its references.
    registers = {
        number
        for number, state in states.items()
        if classes[number] == ("BTrees.OOBTree", "OOBucket")
        and logs.intersection(references(state))
    }
    return logs | registers


def _text(value: bytes | str) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value
