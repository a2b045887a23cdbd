"""Findings: what was found out about objects, put together for each, however many they are."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from persistent import Persistent
from persistent.wref import WeakRef
from ZODB.utils import p64, u64

from livesync.objects.object_model import CONTRIBUTION, EVENT, SUBCONTRIBUTION, is_lost

CREATE = """
    CREATE TABLE finding (
        mark BLOB, kind TEXT, reference INTEGER, id TEXT,
        status INTEGER, position INTEGER, made INTEGER, born INTEGER, died INTEGER,
        tid INTEGER, absent INTEGER, hidden INTEGER, shown INTEGER, "commit" INTEGER,
        "left" INTEGER,
        PRIMARY KEY (mark, kind, reference)
    ) WITHOUT ROWID
"""
PLACES = """
    CREATE TABLE place (
        mark BLOB, kind TEXT, owner BLOB, "commit" INTEGER, PRIMARY KEY (mark, kind)
    ) WITHOUT ROWID
"""
PUT = """
    INSERT INTO place SELECT mark, kind, owner_mark(mark), coalesce(max("commit"), 0)
    FROM finding GROUP BY mark, kind
"""
FOLLOW = """
    UPDATE place SET "commit" = max("commit", coalesce(
        (SELECT up."commit" FROM place up WHERE up.mark = place.owner AND up.kind = ?), 0
    )) WHERE kind = ?
"""
READ = """
    SELECT finding.* FROM finding JOIN place USING (mark, kind)
    ORDER BY place."commit", mark, kind, reference
"""
ADD = """
    INSERT INTO finding VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET
        status = status | excluded.status,
        position = max(position, excluded.position),
        made = coalesce(min(made, excluded.made), made, excluded.made),
        born = coalesce(max(born, excluded.born), born, excluded.born),
        died = coalesce(max(died, excluded.died), died, excluded.died),
        absent = CASE
            WHEN excluded.tid IS NULL OR tid < excluded.tid THEN absent
            WHEN tid = excluded.tid THEN min(absent, excluded.absent)
            ELSE excluded.absent
        END,
        tid = coalesce(min(tid, excluded.tid), tid, excluded.tid),
        hidden = max(hidden, excluded.hidden),
        shown = max(shown, excluded.shown),
        "commit" = coalesce(max("commit", excluded."commit"), "commit", excluded."commit"),
        "left" = max("left", excluded."left")
"""
NO_OBJECT = -1


@dataclass(frozen=True, slots=True)
class Finding:
    """The changes of one object under one *mark*, which is unique among all objects.

    *reference* is the object, or a weak reference to it. *position* is the newest at which
    something happened, *made* the first at which it was created. *born* and *died* are the
    last times (Unix seconds) of its creation and deletion; None for what did not happen. *tid*
    is that of the first change that hid or showed it, *absent* where that stands if targets
    could not see it before, *hidden* and *shown* say whether any left it
    hidden, or to be seen (see `livesync.records.sight`). *commit* is the newest transaction.
    *left* says whether it was moved or deleted from where it was wanted.
    """

    mark: str
    kind: str
    reference: Any
    obj_id: str | int | None
    status: int
    position: int
    made: int | None = None
    born: int | None = None
    died: int | None = None
    tid: int | None = None
    absent: int | None = None
    hidden: bool = False
    shown: bool = True
    commit: int | None = None
    left: bool = False

    def resolve(self) -> Any:
        """Return the object; None when it is gone."""
        obj = self.reference() if isinstance(self.reference, WeakRef) else self.reference
        return None if is_lost(obj) else obj


class ReductionTable:
    """Findings, united for each object, in the order of commits: of the newest of each object.

    The parts of an event come behind it, and objects of one commit in the order of marks.

    Kept in a temporary table of SQLite, which goes to the disk when it grows: the objects
    themselves are not held, but for those that are in no database.
    """

    def __enter__(self) -> Self:
        # A thread that sends may close the table that another thread has filled.
        self._table = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._table.execute("PRAGMA synchronous = OFF")
        self._table.execute("PRAGMA journal_mode = OFF")
        self._table.create_function("owner_mark", 1, _owner_mark, deterministic=True)
        self._table.execute(CREATE)
        self._held: list[Any] = []
        self._numbers: dict[int, int] = {}
        self._connection: Any = None
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._table.close()

    def add(self, finding: Finding) -> None:
        """Take *finding* in, together with what is known of the same object."""
        self._table.execute(
            ADD,
            (
                finding.mark.encode("utf-8", "surrogatepass"),
                finding.kind,
                self._number(finding.reference),
                json.dumps(finding.obj_id, default=str),
                finding.status,
                finding.position,
                finding.made,
                finding.born,
                finding.died,
                finding.tid,
                finding.absent,
                finding.hidden,
                finding.shown,
                finding.commit,
                finding.left,
            ),
        )

    def __iter__(self) -> Iterator[Finding]:
        self._table.execute(PLACES)
        self._table.execute(PUT)
        for kinds in ((EVENT, CONTRIBUTION), (CONTRIBUTION, SUBCONTRIBUTION)):
            self._table.execute(FOLLOW, kinds)
        rows = self._table.execute(READ)
        for mark, kind, number, obj_id, *rest in rows:
            text = mark.decode("utf-8", "surrogatepass")
            yield Finding(text, kind, self._reference(number), json.loads(obj_id), *rest)

    def _number(self, reference: Any) -> int:
        """Return a number for an object: its oid, or below zero for one in no database."""
        if isinstance(reference, WeakRef):
            connection, oid = reference.dm, reference.oid
        elif isinstance(reference, Persistent):
            connection, oid = reference._p_jar, reference._p_oid
        else:
            connection, oid = None, None
        if connection is not None and self._connection in (None, connection):
            self._connection = connection
            return int(u64(oid))
        return self._number_of_held(reference)

    def _number_of_held(self, reference: Any) -> int:
        obj = reference() if isinstance(reference, WeakRef) else reference
        if obj is None:
            return NO_OBJECT
        if id(obj) not in self._numbers:
            self._held.append(obj)
            self._numbers[id(obj)] = NO_OBJECT - len(self._held)
        return self._numbers[id(obj)]

    def _reference(self, number: int) -> Any:
        if number >= 0:
            reference = WeakRef.__new__(WeakRef)
            reference.oid, reference.dm = p64(number), self._connection
            return reference
        return None if number == NO_OBJECT else self._held[NO_OBJECT - 1 - number]


def _owner_mark(mark: bytes) -> bytes:
    """Return the mark of what the object of *mark* is in: the id of a part begins with that."""
    return mark.rpartition(b".")[0]
