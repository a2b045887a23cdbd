"""The delivery of the records of one run, batch by batch, and one by one after a refusal."""

from __future__ import annotations

import math
import secrets
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any, NamedTuple

from livesync.delivery.dead_letters import DeadLetter, FailedChange
from livesync.delivery.faults import (
    FAULTS_OF_RECORDS,
    RecordsNotMade,
    is_fault_of_target,
    reason_of,
)
from livesync.delivery.record_keys import falls_to, mark_of_change, marked
from livesync.delivery.results import BatchResults, RefusedRecord
from livesync.delivery.state import DeliveryState
from livesync.delivery.underway import RecordsUnderway
from livesync.errors import PartialFailure
from livesync.records.reduction import STATUS_DELETED, Record, is_record, kind_in, name_of

Upload = Callable[[list[Any]], None]

# Number of records failing in a row, none accepted, beyond which the target is at fault.
SUSPECTS = 3
TRACES_KEPT = 128


class Stopped(BaseException):
    """The run is no more the one that delivers, or its agent was paused."""


class _Suspect(NamedTuple):
    """A record that failed, in a batch of which the target has taken nothing."""

    item: Any
    error: Exception
    reason: str
    is_final: bool
    """Whether the target has refused it for good, unless the target is at fault itself."""


class BatchDelivery:
    """The records of one run: each is accepted, or refused and kept as a dead letter.

    *state* is that of the agent; its dead letters that are due at *now* are sent last. The run goes
    up to position *end*; the target may know objects up to *known_up_to*. *epoch* marks the records
    that are sent for the first time. *accepted* are the marks of what the target has taken in an
    earlier run of the same window. Of *share* (number, total) it delivers the objects that fall to
    this number. *report* is called before each batch, to write down what the ones before came to.
    """

    def __init__(
        self,
        state: DeliveryState,
        now: float = -math.inf,
        *,
        end: int | None = None,
        known_up_to: float = math.inf,
        epoch: str | None = None,
        accepted: Collection[str] = (),
        share: tuple[int, int] = (0, 1),
        report: Callable[[BatchDelivery], None] = lambda delivery: None,
    ) -> None:
        self.end = end
        self.known_up_to = known_up_to
        self.error: BaseException | None = None
        self._epoch = epoch
        self._dead_letters = state.dead_letters
        self._due = [
            dead_letter
            for dead_letter in self._dead_letters.due(now)
            if _concerns(dead_letter, share)
        ]
        self._earlier = accepted
        self._share = share
        self._is_retry = state.failures > 0
        self._is_last_try = state.failures + 1 >= state.settings.tries
        self._report = report
        self._underway = RecordsUnderway()
        self._done: set[str] = set()
        self._taken_up: set[str] = set()  # names of dead letters whose object has a later state
        self._suspects: list[_Suspect] = []
        self._has_success = False
        self._has_uploader = False
        self._failures = 0  # of single records, one after the other
        self._traces: dict[str, None] = {}
        self._clear()

    def changes(self, changes: Iterable[tuple[int, Any]]) -> Iterator[tuple[int, Any]]:
        """Yield the changes of dead letters that are due, then of *changes* those not sent yet."""
        for dead_letter in self._due:
            if isinstance(dead_letter.record, FailedChange):
                yield tuple(dead_letter.record)
        for position, action in changes:
            mark = mark_of_change(position, action)
            if mark not in self._done and mark not in self._earlier:
                self._note_trace(action)
                yield position, action

    def records(self, make: Callable[[], Iterable[Any]]) -> Iterator[Any]:
        """Yield what is to be sent: the records that *make* makes, then dead letters that are due.

        A dead letter whose object has a later state among the records is not sent as well.
        """
        for mark, made in marked(_made(make)):
            if mark in self._done or mark in self._earlier or not falls_to(mark, self._share):
                continue
            if isinstance(made, Record) and made.epoch is None:
                made.epoch = self._epoch
            record = self._with_letter(made)
            self._underway.add(mark, record)
            yield record
        for dead_letter in self._due:
            if (
                not isinstance(dead_letter.record, FailedChange)
                and dead_letter.name not in self._taken_up
            ):
                self._underway.add(dead_letter.name, dead_letter.record)
                yield dead_letter.record

    def send(self, batch: list[Any], upload: Upload) -> None:
        """Upload *batch*; what is refused is kept. Raises where that is the target's fault."""
        self._has_uploader = True
        self._report(self)
        began = time.monotonic()
        self._try(batch, upload)
        self._seconds = time.monotonic() - began

    def sieve(
        self, changes: Iterable[tuple[int, Any]], make: Callable[[Any], Iterable[Any]]
    ) -> bool:
        """Refuse those of *changes* of which *make* makes no record; say whether that helped.

        Where it makes records of nothing at all, the fault is with *make*.
        """
        failed: list[tuple[tuple[int, Any], Exception]] = []
        count = 0
        for item in self.changes(changes):
            count += 1
            try:
                deque(make(iter([item])), maxlen=0)
            except Exception as error:  # noqa: BLE001 (whatever the agent's code raises)
                failed.append((item, error))
        if len(failed) == count and not (self._is_last_try and count <= SUSPECTS):
            return False
        for item, why in failed:
            self._refuse(mark_of_change(*item), FailedChange(*item), reason_of(why), is_final=True)
        return bool(failed)

    def end_well(self) -> None:
        """Settle what is left when the run has succeeded; raises if in truth nothing was taken."""
        if self._suspects and not self._has_success and not self._is_last_try:
            raise self._suspects[0].error
        self._convict()
        if not self._has_uploader:
            self._accept(self._underway.remaining())
        for dead_letter in self._due:
            if dead_letter.name not in self._done:
                self._settled.append(dead_letter.name)

    @property
    def has_refused(self) -> bool:
        """Whether records were refused since the last call of `collect`."""
        return bool(self._refused)

    def collect(self) -> BatchResults:
        """Return what it came to since the last call."""
        results = BatchResults(
            self._accepted, self._settled, self._refused, self._seconds, tuple(self._traces)
        )
        self._clear()
        return results

    def _note_trace(self, action: Any) -> None:
        trace = getattr(action, "trace", None)
        if trace is not None and len(self._traces) < TRACES_KEPT:
            self._traces[trace] = None

    def _try(self, batch: list[Any], upload: Upload) -> None:
        try:
            upload(batch)
        except PartialFailure as failure:
            self._part(batch, failure)
        except Exception as error:
            if not self._may_isolate(batch, error):
                raise
            self._isolate(batch, upload, error)
        else:
            self._accept(batch)

    def _may_isolate(self, batch: list[Any], error: Exception) -> bool:
        if is_fault_of_target(error) or not all(map(self._underway.knows, batch)):
            return False
        return self._is_retry or isinstance(error, FAULTS_OF_RECORDS)

    def _isolate(self, batch: list[Any], upload: Upload, error: Exception) -> None:
        if len(batch) == 1:
            self._suspect(_Suspect(batch[0], error, reason_of(error), is_final=False))
            return
        middle = len(batch) // 2
        self._try(batch[:middle], upload)
        self._try(batch[middle:], upload)

    def _suspect(self, suspect: _Suspect) -> None:
        mark, record = self._underway.peek(suspect.item)
        if self._dead_letters.find(mark) is not None:
            # It was refused before, and waits again: that is no failure of this run.
            self._underway.take(suspect.item)
            self._refuse(mark, record, suspect.reason, is_final=False)
            return
        self._failures += 1
        if self._failures > SUSPECTS:
            raise suspect.error
        self._suspects.append(suspect)

    def _part(self, batch: list[Any], failure: PartialFailure) -> None:
        refused = failure.refused
        if not all(0 <= i < len(batch) and self._underway.knows(batch[i]) for i in refused):
            raise failure
        self._accept([record for index, record in enumerate(batch) if index not in refused])
        # That something unknown is not there shows of no target that it takes anything.
        is_any_taken = any(
            index not in refused and not _is_deletion(record) for index, record in enumerate(batch)
        )
        for index, reason in refused.items():
            if is_any_taken or index in failure.unsendable:
                mark, record = self._underway.take(batch[index])
                self._refuse(mark, record, reason, is_final=True)
            else:
                self._suspect(_Suspect(batch[index], failure, reason, is_final=True))

    def _accept(self, batch: list[Any]) -> None:
        if not batch:
            return
        self._has_success = True
        self._failures = 0
        for item in batch:
            if self._underway.knows(item):
                mark, record = self._underway.take(item)
                self._done.add(mark)
                self._accepted.append(mark)
                dead_letter = self._dead_letter_of(mark, record)
                if dead_letter is not None:
                    self._settled.append(dead_letter.name)
        self._convict()

    def _convict(self) -> None:
        suspects, self._suspects = self._suspects, []
        for item, _, reason, is_final in suspects:
            mark, record = self._underway.take(item)
            self._refuse(mark, record, reason, is_final=is_final or self._is_last_try)

    def _refuse(self, mark: str, record: Any, reason: str, *, is_final: bool) -> None:
        self._done.add(mark)
        dead_letter = self._dead_letter_of(mark, record)
        name = dead_letter.name if dead_letter else name_of(record) or _new_name(mark)
        tries = dead_letter.tries if dead_letter else 0
        self._refused.append(RefusedRecord(mark, name, record, reason, tries, is_final))

    def _dead_letter_of(self, mark: str, record: Any) -> DeadLetter | None:
        return self._dead_letters.find(mark) or self._dead_letters.find(name_of(record))

    def _with_letter(self, record: Any) -> Any:
        dead_letter = self._dead_letters.find(name_of(record))
        if dead_letter is None or not is_record(dead_letter.record):
            return record
        self._taken_up.add(dead_letter.name)
        status = record[2] | dead_letter.record[2]
        if status & STATUS_DELETED:
            return record
        position, epoch = getattr(record, "position", None), getattr(record, "epoch", None)
        tid = getattr(record, "tid", None)
        return Record(record[0], record[1], status, position, kind_in(record), epoch, tid)

    def _clear(self) -> None:
        self._accepted: list[str] = []
        self._settled: list[str] = []
        self._refused: list[RefusedRecord] = []
        self._seconds = 0.0


def _made(make: Callable[[], Iterable[Any]]) -> Iterator[Any]:
    try:
        yield from make()
    except Exception as error:
        raise RecordsNotMade(reason_of(error)) from error


def _is_deletion(record: Any) -> bool:
    return is_record(record) and bool(record[2] & STATUS_DELETED)


def _new_name(mark: str) -> str:
    return mark if mark.startswith("change-") else f"record-{secrets.token_hex(4)}"


def _concerns(dead_letter: DeadLetter, share: tuple[int, int]) -> bool:
    # A change can produce records of several objects, so each share looks at it.
    return isinstance(dead_letter.record, FailedChange) or falls_to(dead_letter.name, share)
