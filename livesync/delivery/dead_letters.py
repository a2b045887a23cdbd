"""The records that a target refused: to be sent again, or dead."""

from __future__ import annotations

import io
import pickle
from collections.abc import Iterator
from typing import Any, NamedTuple

from BTrees.OOBTree import OOBTree
from persistent import Persistent
from persistent.wref import WeakRef

from livesync.errors import AgentSettingException, UnknownDeadLetterException
from livesync.records.reduction import Record, is_record, kind_in
from livesync.track.action import ActionWrapper


class FailedChange(NamedTuple):
    """An entry of the track of which no record could be made."""

    position: int
    action: Any


class DeadLetter(NamedTuple):
    """A refused record: the reason, the number of tries, and the date of the next one."""

    name: str
    record: Any
    reason: str
    tries: int
    since: float
    """When it was refused first, in Unix seconds."""

    due: float | None
    """When it is sent again; None for a dead letter, which is not."""


DUE = DeadLetter._fields.index("due")


class DeadLetters(Persistent):
    """Refused records by name: that of the record's object (`name_of`) where it has one.

    The object of a record is only referred to, so that it can be deleted. Conflict behaviour:
    written by the run of their agent and by those who administer it; of two at once one repeats.
    """

    def __init__(self) -> None:
        self._letters = OOBTree()

    def put(
        self, name: str, record: Any, reason: str, tries: int, now: float, due: float | None
    ) -> None:
        """Keep *record* under *name*, in the place of an earlier one."""
        before = self._letters.get(name)
        since = now if before is None else before[4]
        stored = _folded(record)
        due = None if isinstance(stored, Unsendable) else due
        self._letters[name] = (name, stored, reason, tries, since, due)

    def get(self, name: str) -> DeadLetter:
        """Return the dead letter of this name; raises UnknownDeadLetterException, a KeyError."""
        if name not in self._letters:
            raise UnknownDeadLetterException(
                f"there is no dead letter {name!r}: see `indico_livesync dead list --waiting`"
            )
        return _opened(self._letters[name])

    def find(self, name: str | None) -> DeadLetter | None:
        """Return the dead letter of this name, or None."""
        return _opened(self._letters[name]) if name is not None and name in self else None

    def change(self, name: str, **values: Any) -> None:
        """Set *values* of the dead letter of this name; raises as `get`."""
        record = self.get(name).record
        changed = DeadLetter(*self._letters[name])._replace(**values)
        self._letters[name] = (*changed[:1], _folded(record), *changed[2:])

    def send_again(self, name: str) -> None:
        """Make the dead letter of this name due again, with all its tries; raises as `get`.

        AgentSettingException for one whose record could not be stored.
        """
        if isinstance(self.get(name).record, Unsendable):
            raise AgentSettingException(
                f"dead letter {name} cannot be sent again, since its record could not be stored: "
                "drop it"
            )
        self.change(name, due=0.0, tries=0)

    def drop(self, name: str) -> bool:
        """Remove the dead letter of this name; return whether it existed."""
        return self._letters.pop(name, None) is not None

    def due(self, now: float) -> list[DeadLetter]:
        """Return those that are to be sent again at *now*."""
        stored = self._letters.values()
        return [_opened(one) for one in stored if one[DUE] is not None and one[DUE] <= now]

    def dead(self) -> Iterator[DeadLetter]:
        """Yield those that are not sent again unless somebody says so."""
        return (_opened(one) for one in self._letters.values() if one[DUE] is None)

    def __iter__(self) -> Iterator[DeadLetter]:
        return map(_opened, self._letters.values())

    def __len__(self) -> int:
        return len(self._letters)

    def __contains__(self, name: str) -> bool:
        return name in self._letters


class Unsendable(NamedTuple):
    """The text that is kept in the place of a record that cannot be stored."""

    text: str


class _Folded(NamedTuple):
    """The stored form of a record."""

    reference: WeakRef | None
    obj_id: Any
    status: int
    position: int | None
    kind: str | None = None
    epoch: str | None = None
    tid: int | None = None


def _folded(record: Any) -> Any:
    """Return *record* so that it can be stored, through whatever connection."""
    if is_record(record):
        obj, obj_id, status = record
        kept = None if obj is None else WeakRef(obj)
        position, epoch = getattr(record, "position", None), getattr(record, "epoch", None)
        tid = getattr(record, "tid", None)
        return _Folded(kept, obj_id, status, position, kind_in(record), epoch, tid)
    if isinstance(record, FailedChange):
        return FailedChange(record.position, _folded(record.action))
    if isinstance(record, ActionWrapper):
        return record.copy()
    try:
        _Plain(io.BytesIO()).dump(record)
    except Exception:  # noqa: BLE001 (whatever its class raises)
        return Unsendable(f"{record!r:.500}")
    return record


class _Plain(pickle.Pickler):
    """Fails over what belongs to a connection."""

    def persistent_id(self, obj: Any) -> None:
        if isinstance(obj, Persistent | WeakRef):
            raise TypeError(f"{type(obj).__name__} belongs to a connection")


def _opened(stored: tuple[Any, ...]) -> DeadLetter:
    dead_letter = DeadLetter(*stored)
    record = dead_letter.record
    if isinstance(record, _Folded):
        obj = record.reference and record.reference()
        return dead_letter._replace(record=Record(obj, *record[1:]))
    return dead_letter
