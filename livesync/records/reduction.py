"""From what happened to objects to what a target has to know: one state for each object.

`modified 1234, deleted 1234` becomes just `deleted 1234` (reference 4.3).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

from persistent import Persistent
from ZODB.Connection import Connection

from livesync.errors import WatchException
from livesync.objects.object_model import (
    CATEGORY,
    KINDS,
    NOTHING,
    is_detached,
    is_lost,
    kind_of,
    parts,
    unique_id,
)
from livesync.objects.watched_classes import watch_of
from livesync.records.change_filter import EVERYTHING, ChangeFilter
from livesync.records.reduction_table import Finding, ReductionTable
from livesync.track.action import CASCADING, ActionWrapper, identity

STATUS_DELETED = 1
STATUS_CREATED = 2
STATUS_CHANGED = 4

OWN_STATUS = {
    "deleted": STATUS_DELETED,
    "created": STATUS_CREATED,
    "data_changed": STATUS_CHANGED,
}
LEAVING = {"moved", "deleted"}
"""Actions by which an object leaves the categories in which it lay."""

OBJECTS_BETWEEN_SWEEPS = 100

ObjectId = str | int | None
# Whether an object is excluded; given a category, on the grounds of what is within that.
Excludes = Callable[..., bool]


class Record(tuple[Any, ObjectId, int]):
    """A record for one object: a tuple of the object, its id and status bits.

    `position` is where on the track the newest change stands that the record is about; None
    where that is not known. `kind` is what the object is, or was (`livesync.objects`), and
    `epoch` the mark of the window in which the record was sent first. `tid` is the newest
    transaction that it is about, as far as that is known.
    """

    position: int | None
    kind: str
    epoch: str | None
    tid: int | None

    def __new__(
        cls,
        obj: Any,
        obj_id: ObjectId,
        status: int,
        position: int | None = None,
        kind: str | None = None,
        epoch: str | None = None,
        tid: int | None = None,
    ) -> Record:
        """Return the record of *obj*."""
        record = super().__new__(cls, (obj, obj_id, status))
        record.position, record.epoch, record.tid = position, epoch, tid
        record.kind = kind_of(obj) if kind is None else kind
        return record

    def __getnewargs__(self) -> tuple[Any, ObjectId, int, int | None, str, str | None, int | None]:
        return (*self, self.position, self.kind, self.epoch, self.tid)

    @property
    def identity(self) -> str:
        """The name of the object, unique among objects of all kinds."""
        return identity_of(self.kind, self[1])


def identity_of(kind: str, obj_id: Any) -> str:
    """Return the id itself for what is in the catalogue, else `kind:id`."""
    return str(obj_id) if kind in {*KINDS, NOTHING} else f"{kind}:{obj_id}"


def reduce(
    data: Iterable[tuple[int, ActionWrapper]],
    known_up_to: float = math.inf,
    dbi: Connection | None = None,
    excluded: Excludes = lambda _obj, _within=None: False,
    wanted: ChangeFilter = EVERYTHING,
) -> Iterator[Record]:
    """Yield a record once for each object in *data*, whatever the order of its actions.

    Records come in the order of commits: of the newest of each object. The parts of an event come
    behind it, whatever their commits. Categories have no records: of them only what concerns
    the events below counts. Where the deleted bit is set it wins over the others; the object
    may be None. An object that was created beyond position *known_up_to*, up to which the target
    may know of objects, and is deleted again, is left out. An object that is *excluded* now counts
    as deleted, if the target could see it before; so does one that has left what is *wanted*, and
    others that are not wanted are left out. Takes little memory however much lies below
    what changed: the cache of *dbi* is trimmed meanwhile.
    """
    with ReductionTable() as findings:
        finder = _ChangeFinder(findings, dbi, excluded, wanted)
        for position, action in data:
            finder.find(position, action)
        for _, about_one in groupby(findings, lambda finding: (finding.mark, finding.kind)):
            record = _conclude(list(about_one), known_up_to, excluded, wanted)
            if record is not None:
                yield record


@dataclass(frozen=True)
class _ChangeFinder:
    """Finds out what actions say of their objects, and of the objects below these."""

    findings: ReductionTable
    dbi: Connection | None
    excluded: Excludes
    wanted: ChangeFilter

    def find(self, position: int, action: ActionWrapper) -> None:
        """Add what *action* says, which stands at *position* of the track."""
        names = action.getActions()
        is_seen_by_others = bool(names & CASCADING) and action.kind in KINDS
        status = STATUS_CHANGED if is_seen_by_others else 0
        for name in names:
            status |= OWN_STATUS.get(name, 0)
        if status and action.kind != CATEGORY and self.wanted.wants_kind(action.kind):
            is_born, is_dead = bool(status & STATUS_CREATED), bool(status & STATUS_DELETED)
            tid, before, after = action.sight or (None, True, True)
            mark, obj_id = _identity(action)
            self.findings.add(
                Finding(
                    mark,
                    action.kind,
                    action.reference,
                    obj_id,
                    status,
                    position,
                    made=position if is_born else None,
                    born=action.timestamp if is_born else None,
                    died=action.timestamp if is_dead else None,
                    tid=tid,
                    absent=None if before else position,
                    hidden=not after,
                    shown=after,
                    commit=action.tid,
                    left=self._has_left(action, action.kind, action.getObject()),
                )
            )
        if is_seen_by_others and not is_lost(action.getObject()):
            self._find_below(position, action)

    def _find_below(self, position: int, action: ActionWrapper) -> None:
        obj = action.getObject()
        _, before, after = action.sight or (None, True, True)
        for number, part in enumerate(parts(obj)):
            if self.dbi is not None and number % OBJECTS_BETWEEN_SWEEPS == 0:
                self.dbi.cacheGC()
            kind = kind_of(part)
            # The target may have a part that this very change hides.
            is_told = not self.excluded(part) or (
                before and not after and not self.excluded(part, obj)
            )
            if kind != CATEGORY and is_told and self.wanted.wants_kind(kind):
                obj_id = unique_id(part)
                mark = identity(part) if obj_id is None else obj_id
                found = Finding(
                    mark, kind, part, obj_id, STATUS_CHANGED, position, commit=action.tid
                )
                has_left = self._has_left(action, kind, part)
                self.findings.add(replace(found, left=True) if has_left else found)

    def _has_left(self, action: ActionWrapper, kind: str, obj: Any) -> bool:
        """Say whether *obj*, of that *kind*, may have left what is wanted by *action*."""
        is_hidden = action.sight is not None and not action.sight[2]
        if not self.wanted or (not is_hidden and LEAVING.isdisjoint(action.getActions())):
            return False
        return self.wanted.may_have_wanted(kind, obj, action.former)


def _identity(action: ActionWrapper) -> tuple[str, ObjectId]:
    """Return the mark and the id of the object; raises WatchException, IdentifyException."""
    obj_id = action.getObjectId()
    watched = watch_of(action.getObject()) if obj_id is None else None
    if watched is None or not watched.identify:
        return action.mark, obj_id
    found = watched.identity_of(action.getObject())
    if found is None:
        raise WatchException(
            f"a change of {watched.kind} has no id yet, and is not sent: "
            f"{watched.fault() or 'its class cannot be imported'}"
        )
    return str(found), found


def _conclude(
    about_one: list[Finding], known_up_to: float, excluded: Excludes, wanted: ChangeFilter
) -> Record | None:
    """Return what comes of all *about_one* id, as far as it is *wanted* or was so before."""
    record = _united(about_one, known_up_to, excluded)
    if record is None or not wanted or wanted.wants(record.kind, record[0]):
        return record
    if not any(finding.left for finding in about_one):
        return None
    obj, obj_id, status = record
    if not status & STATUS_DELETED and all(_was_unknown(known_up_to, one) for one in about_one):
        return None
    place = record.position, record.kind
    return Record(obj, obj_id, status | STATUS_DELETED, *place, tid=record.tid)


def _united(about_one: list[Finding], known_up_to: float, excluded: Excludes) -> Record | None:
    """Return what comes of all *about_one* id, under which several objects may have been."""
    status = 0
    for finding in about_one:
        status |= finding.status
    # If two objects had the id one after the other, the record is about the one still in place.
    in_place = [finding for finding in about_one if not is_detached(finding.resolve())]
    newest = max(in_place or about_one, key=lambda finding: finding.position)
    obj, obj_id = newest.resolve(), newest.obj_id
    tid = max((finding.commit for finding in about_one if finding.commit), default=None)
    if not status & STATUS_DELETED:
        was_taken_out = is_detached(obj) and any(finding.hidden for finding in about_one)
        if not was_taken_out and (obj is None or not excluded(obj)):
            return Record(obj, obj_id, status, newest.position, newest.kind, tid=tid)
    for finding in about_one:
        successor = finding.resolve() if _is_alive(finding) else None
        if not is_detached(successor) and not excluded(successor):
            # It is back, or another object has taken the place, and the id, of one now gone.
            status &= ~STATUS_DELETED
            return Record(successor, obj_id, status, newest.position, newest.kind, tid=tid)
    if all(_was_unknown(known_up_to, finding) for finding in about_one):
        return None
    return Record(obj, obj_id, status | STATUS_DELETED, newest.position, newest.kind, tid=tid)


def _is_alive(finding: Finding) -> bool:
    return finding.born is not None and (finding.died is None or finding.born > finding.died)


def _was_unknown(known_up_to: float, finding: Finding) -> bool:
    """Say whether the target cannot have heard of it: it was made, or shown, too late for that."""
    if finding.absent is not None and not finding.shown:
        return True
    known = (finding.made, finding.absent)
    return any(position is not None and position > known_up_to for position in known)


def is_record(record: Any) -> bool:
    """Say whether this is a record as `livesync.records.reduction` makes them."""
    if not isinstance(record, tuple) or len(record) != 3 or not isinstance(record[2], int):
        return False
    return record[0] is None or isinstance(record[0], Persistent)


def name_of(record: Any) -> str | None:
    """Return the name of the object that *record* describes; None for other things than records."""
    return f"{kind_in(record)}:{record[1]}" if is_record(record) else None


def kind_in(record: Any) -> str:
    """Return what the object of *record* is, or was."""
    return record.kind if isinstance(record, Record) else kind_of(record[0])
