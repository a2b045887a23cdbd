"""The life of a task: its state, and the named transitions that alone change it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from itertools import takewhile
from typing import Any

from ZODB.utils import u64

from scheduler import states
from scheduler.errors import TaskInconsistentStatusException
from scheduler.runtime.context import AttemptContext
from scheduler.runtime.origin import enqueued_by
from scheduler.tasks.attempt import ATTEMPTS_KEPT, Attempt
from scheduler.tasks.event import TimedEvent
from scheduler.tasks.result import kept

# When a task is due that waits for a signal without end: the last day of the calendar.
UNTIL_SIGNAL = 253_402_214_400.0
NO_CHECKPOINT = (0, None, 0, None, ())


class TaskLife(TimedEvent):
    """The stored state of a task, and the only writer of it.

    Each transition checks `states.MOVES` and raises TaskInconsistentStatusException for a move
    that is not in it. A running task bears SPOOLED or QUEUED: the running list alone tells that
    it runs, so its end is a move from RUNNING. A stored status that is no state can only be
    forgotten or spooled again.

    Conflict behaviour: one writer at a time, see `BaseTask`.
    """

    _status: int = states.TASK_STATUS_NONE
    _settled: int = 0  # number of the last claim on this task that came to an end
    _tries: int = 0  # failed tries of the present run
    _retry_on: float | None = None  # seconds since 1970
    _queued_for: float = -1  # seconds since 1970 under which it stands in the waiting queue
    _attempts: tuple[tuple[Any, ...], ...] = ()
    _result: Any = None
    _waits_since: float | None = None  # when the first was made that this one has replaced
    _reruns: int = 0  # how often the task was run anew after it had finished
    _undone: float | None = None
    _awaits: tuple[str, float | None] | None = None  # the signal it waits for, and until when
    _signals: Mapping[str, tuple[Any, ...]] = {}  # what came; empty for what came too late
    # Of the present occurrence: claim, state, number of keys, progress, lines of the log.
    _checkpoint: tuple[Any, ...] = NO_CHECKPOINT
    _follower: Any
    _rollback: Any

    def _spool(self) -> None:
        """Move to SPOOLED, as a client enqueues the task."""
        self._move(states.TASK_STATUS_SPOOLED)

    def _spool_again(self) -> None:
        """Move to SPOOLED from quarantine, or from a queue in which the task does not stand."""
        if self._status in tuple(states.ENDED):  # a tuple, as an odd status may have no hash
            raise self._illegal(states.TASK_STATUS_SPOOLED)
        self._status = states.TASK_STATUS_SPOOLED

    def _queue(self, due: float) -> None:
        """Move to QUEUED, to be due at *due* (since 1970); one that waits gets another date."""
        if self._status != states.TASK_STATUS_QUEUED:
            self._move(states.TASK_STATUS_QUEUED)
        self._queued_for = due

    def _forget(self) -> None:
        """Move to NONE: the task stands on no shelf."""
        self._status = states.TASK_STATUS_NONE

    def _finish(self, attempt: Attempt, result: Any = None) -> None:
        """Record a run that succeeded, with its *result*."""
        self._end_run(states.TASK_STATUS_FINISHED)
        self._record(attempt)
        self._begin_anew()
        self._forget_way()
        self._result = kept(result)
        self._go_on(self._follower)

    def _end(self, attempt: Attempt) -> None:
        """Record the last run: it failed for good, or was ended."""
        self._end_run(attempt.state)
        self._record(attempt)
        self._retry_on = None
        self._go_on(self._rollback)

    def _abort(self, attempt: Attempt) -> None:
        """Record that the task was cancelled as a whole, in whichever state it was."""
        self._withdraw()
        self._record(attempt)
        self._retry_on = None
        self._go_on(self._rollback)

    def _withdraw(self) -> None:
        """Move to ABORTED, without a record."""
        if self._status == states.TASK_STATUS_SPOOLED:
            self._move(states.TASK_STATUS_QUEUED)  # as a spooled task is queued first
        self._move(states.TASK_STATUS_ABORTED)

    def _retry(self, attempt: Attempt, until: float) -> None:
        """Record a try that failed; the next one is due at *until* (since 1970)."""
        self._end_run(states.TASK_STATUS_QUEUED)
        self._record(attempt)
        self._tries = attempt.number
        self._retry_on = self._queued_for = until

    def _delay(self, attempt: Attempt, until: float) -> None:
        """Record a run that did not count as a try; the next one is due at *until*."""
        self._end_run(states.TASK_STATUS_QUEUED)
        self._record(attempt)
        self._ended = None
        self._retry_on = self._queued_for = until

    def _await(self, attempt: Attempt, name: str, until: float | None) -> None:
        """Record a run that waits for the signal *name*, until *until* (since 1970) at most."""
        self._delay(attempt, UNTIL_SIGNAL if until is None else until)
        signals = {each: came for each, came in self._signals.items() if each != name}
        if self._awaits is not None and self._awaits[0] not in (name, *signals):
            signals[self._awaits[0]] = ()
        if signals != self._signals:
            self._signals = signals
        self._awaits = (name, until)

    def _awaited(self) -> str:
        """Return the signal that the task waits for in its queue; empty where for none."""
        if self._awaits is None or self._retry_on != (self._awaits[1] or UNTIL_SIGNAL):
            return ""
        return self._awaits[0]

    def _receive(self, name: str, payload: Any, now: float) -> None:
        """Keep the *payload* of the signal *name*; the next run is due at *now* (since 1970)."""
        self._signals = {**self._signals, name: (payload,)}
        self._awaits = None
        self._retry_on = now

    def _expire(self, now: datetime, why: str) -> None:
        """Record that no time is left at which the task might run."""
        self._end_run(states.TASK_STATUS_TERMINATED)
        self._record(Attempt(self._tries + 1, now, now, states.TASK_STATUS_TERMINATED, why))
        self._started = self._retry_on = None
        self._go_on(self._rollback)

    def _fire_apart(self) -> None:
        """Move to FINISHED, without a record: the run at this date is a task of its own."""
        self._end_run(states.TASK_STATUS_FINISHED)

    def _settle(self, claim: int) -> None:
        """Note that claim number *claim* has ended: a worker that still holds it conflicts."""
        self._settled = claim

    def _set_retry(self, until: float | None) -> None:
        """Make the next try due at *until* (since 1970); None for the task's own date."""
        self._retry_on = until

    def _wait_since(self, since: float) -> None:
        """Note that the task stands for one that was made at *since* (since 1970)."""
        self._waits_since = since

    def _begin_occurrence(self) -> None:
        """Count an occurrence: the task is run anew, though it has finished."""
        self._reruns += 1

    def _begin_anew(self) -> None:
        """Forget the failed tries and the date of the next one."""
        self._tries, self._retry_on = 0, None
        if self._awaits is not None:
            self._awaits = None
            self._signals = {each: came for each, came in self._signals.items() if came}

    def _forget_way(self) -> None:
        """Forget the signals and the checkpoint of the occurrence, which has ended."""
        for name in ("_awaits", "_signals", "_checkpoint"):
            if name in self.__dict__:
                delattr(self, name)

    def _keep_checkpoint(self, claim: int, state: Any, run: AttemptContext) -> None:
        """Keep what the next attempt goes on from, should the attempt of *claim* not end well."""
        self._checkpoint = (claim, kept(state), run.keys_used, run.progress, run.lines())

    def _set_status(self, status: int) -> None:
        """Set *status* unchecked: for the moves whose caller has checked the shelf."""
        self._status = status

    def _times_put_off(self, because: tuple[str, ...] = ("",)) -> int:
        """Return how many of the last runs, one after the other, did not count as a try.

        Only those whose message begins with one of the texts *because*.
        """
        last = takewhile(lambda run: run.state == states.TASK_STATUS_QUEUED, self._newest_first())
        return sum(1 for _ in takewhile(lambda run: run.message.startswith(because), last))

    def _newest_first(self) -> Iterator[Attempt]:
        return (Attempt.unpacked(stored) for stored in reversed(self._attempts))

    def _end_run(self, status: int) -> None:
        """Move from RUNNING to *status*; the stored state is the one before the run."""
        is_running = self._status in tuple(states.BEFORE_RUN)
        if not is_running or not states.is_legal(states.TASK_STATUS_RUNNING, status):
            raise self._illegal(status)
        self._status = status

    def _move(self, status: int) -> None:
        if not states.is_legal(self._status, status):
            raise self._illegal(status)
        self._status = status

    def _illegal(self, status: int) -> TaskInconsistentStatusException:
        return TaskInconsistentStatusException(f"{self!r} cannot become {states.status(status)}")

    def _go_on(self, upcoming: Any) -> None:
        """Enqueue *upcoming*, the next of this task's chain, in the present commit."""
        if upcoming is not None:
            with enqueued_by(task=u64(self._p_oid)):
                upcoming._enter(self._p_jar)  # noqa: SLF001 (a task's way into the spool)

    def _record(self, attempt: Attempt) -> None:
        stored = attempt.packed()
        if self._undone is not None:
            self._undone = None
        self._started, self._ended = stored[1], stored[2]
        self._attempts = (*self._attempts, stored)[-ATTEMPTS_KEPT:]
