"""The lease: one scheduler of a database leads; a stand-by takes over when its heartbeat stops.

Each scheduler increments a counter of its own in the database. An observer measures by its own
monotonic clock for how long the counter has not changed: no two clocks are compared, and clocks
that are set do not matter. A leader leads for one term, and all its commits are bound to that
term: a former leader that was suspended or cut off, and still believes it leads, can change
nothing.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self, TypeVar

from ZODB import DB
from ZODB.Connection import Connection

from scheduler.errors import LeadershipLost, SchedulerException
from scheduler.leadership.activity import Activity
from scheduler.leadership.roster import Candidate, Roster, note_ended, note_started, roster_of
from scheduler.leadership.watchdog import Watchdog
from scheduler.storage import outage_log
from scheduler.storage.outage import is_outage, is_transient, outage_text
from scheduler.store import has_changes, transact

log = logging.getLogger(__name__)

Result = TypeVar("Result")

# Seconds between heartbeats of a leader with a stand-by; without one it makes none, since each is
# a commit.
BEAT_SECONDS = 1.25
# Seconds between heartbeats of a stand-by, and after which a silent one is forgotten.
STANDBY_SECONDS = 10.0
FORGOTTEN_SECONDS = 30.0
# Seconds without a heartbeat after which a leader loses the lease to the first that asks.
SILENCE_SECONDS = 3.0
# The same for a leader that this machine shows as stopped.
STOPPED_SECONDS = 1.5
# The same for a leader whose heartbeat was not seen to change: it notices the stand-by first.
FIRST_SILENCE_SECONDS = 6.0
LOOK_SECONDS = 0.5
CLOSE_SECONDS = 5.0


class Lease:
    """The right to write the shelves of *database* during one *term*."""

    def __init__(self, database: DB, term: int, activity: Activity | None = None) -> None:
        self._database = database
        self._term = term
        self._epoch = _epoch_of(database)
        self.activity = activity or Activity()
        self.is_lost = False

    def guard(self, connection: Connection) -> None:
        """Bind the changes of *connection* to this term; called last, before the commit.

        Raises LeadershipLost when the term is over; if it ends now, the commit conflicts.
        """
        roster = roster_of(connection)
        roster._p_activate()  # the serial of a ghost is an old one, or none
        if roster.term != self._term:
            self.is_lost = True
            raise LeadershipLost(f"a scheduler on {roster.hostname}, pid {roster.pid}, leads now")
        if self._epoch != _epoch_of(self._database):
            # The running list in the database is an earlier one than this leader knows.
            self.is_lost = True
            raise LeadershipLost("the database was put back to an earlier state")
        if has_changes(connection) and not roster._p_changed:
            connection.readCurrent(roster)

    def transact(self, work: Callable[[Connection], Result], *, note: str) -> Result:
        """Run *work* as `scheduler.store.transact` does, bound to this term."""

        def bound(connection: Connection) -> tuple[Result, bool]:
            result = work(connection)
            self.guard(connection)
            return result, has_changes(connection)

        try:
            result, has_written = transact(self._database, bound, note=note)
        except Exception as error:
            if is_outage(error):
                self.activity.failed(note, outage_text(error))
            raise
        self.activity.succeeded(note, has_written=has_written)
        if has_written:
            outage_log.written()
        return result


class Election:
    """The candidacy of a scheduler for the lease of *database*, with heartbeats, as a context.

    *token* identifies this scheduler for ever and everywhere; *activity* is its own.
    """

    def __init__(self, database: DB, token: str, activity: Activity | None = None) -> None:
        self._activity = activity or Activity()
        self._database = database
        self._token = token
        self._leader = _Heartbeat()
        self._others: defaultdict[str, _Heartbeat] = defaultdict(_Heartbeat)
        self._last_beat = 0.0
        self._closing = threading.Event()
        self._heart = threading.Thread(target=self._beat_on, name="heartbeat", daemon=True)

    def __enter__(self) -> Self:
        note_started(self._token)
        self._watchdog = Watchdog()
        with self._watchdog.asking():
            transact(self._database, self._enter, note="scheduler: enter")
        self._heart.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._closing.set()
        self._watchdog.close()
        self._heart.join(CLOSE_SECONDS)
        note_ended(self._token)
        try:
            transact(self._database, self._leave, note="scheduler: end")
        except Exception as error:
            if not is_outage(error):
                raise
            log.warning(
                "%s: scheduler %s could not deregister; the others will notice by timeout",
                outage_text(error),
                self._token,
            )

    def seek(self, *, is_patient: bool) -> Lease | None:
        """Return the lease of a new term if no scheduler leads, or the leader is silent.

        None otherwise, and during an outage. Raises SchedulerException, which names the leader, if
        one is seen to lead and *is_patient* is false.
        """
        try:
            with self._watchdog.asking():
                self._ask_server()
                lease = transact(
                    self._database, lambda own: self._look(own, is_patient), note="scheduler: lead"
                )
            outage_log.reached()
            if lease is not None:
                self._watchdog.leader = None  # the former leader blocks nobody now
            return lease
        except Exception as error:
            if not is_transient(error):
                raise
            self._note(error, "lease not requested")
            return None

    def _note(self, error: Exception, event: str) -> None:
        if is_outage(error):
            outage_log.met(error)
        else:
            log.info("%s: %s", event, error)

    def _ask_server(self) -> None:
        # Reads may be served by the cache of this process, so ask the server whether it answers.
        ping = getattr(self._database.storage, "ping", None)
        if ping is not None:
            ping()

    def _look(self, connection: Connection, is_patient: bool) -> Lease | None:
        roster = roster_of(connection)
        if roster.token == self._token:
            return Lease(self._database, roster.term, self._activity)
        leader: Candidate | None = roster.candidates.get(roster.token)
        if roster.is_taken() and leader is not None and not self._is_silent(roster, leader):
            if not is_patient and (roster.is_certain() or self._leader.has_moved):
                raise SchedulerException(
                    f"a scheduler of this database runs on {roster.hostname} with pid "
                    f"{roster.pid}: stop it first, or let this one stand by"
                )
            self._watchdog.leader = roster.process
            return None
        roster.take(self._token)
        if leader is not None:
            connection.readCurrent(leader)  # a heartbeat after all makes this a conflict
        return Lease(self._database, roster.term, self._activity)

    def _is_silent(self, roster: Roster, leader: Candidate) -> bool:
        # A new term is a sign of life, too.
        still = self._leader.still((roster.term, leader.beats))
        if roster.process is not None and roster.process.is_stopped():
            return still > STOPPED_SECONDS
        return still > (SILENCE_SECONDS if self._leader.has_moved else FIRST_SILENCE_SECONDS)

    def _leave(self, connection: Connection) -> None:
        roster_of(connection).leave(self._token)

    def _enter(self, connection: Connection) -> None:
        roster_of(connection).enter(self._token).beat()

    def _beat_on(self) -> None:
        while not self._closing.wait(BEAT_SECONDS):
            try:
                with self._watchdog.asking():
                    self._ask_server()
                    if transact(self._database, self._beat, note="scheduler: beat"):
                        self._last_beat = time.monotonic()
                outage_log.reached()
            except Exception as error:
                if not is_transient(error):
                    log.exception(
                        "heartbeat thread of scheduler %s stopped; another scheduler takes over "
                        "after %g s",
                        self._token,
                        SILENCE_SECONDS,
                    )
                    raise
                self._note(error, "heartbeat skipped")

    def _beat(self, connection: Connection) -> bool:
        roster = roster_of(connection)
        others = {
            token: self._others[token].still(each.beats)
            for token, each in roster.candidates.items()
            if token != self._token
        }
        if roster.token != self._token:
            is_due = time.monotonic() - self._last_beat >= STANDBY_SECONDS
        else:
            is_due = bool(others)
            for token, still in others.items():
                if still > FORGOTTEN_SECONDS:
                    del roster.candidates[token]
        if is_due:
            roster.enter(self._token).beat()
        return is_due


def _epoch_of(database: DB) -> int:
    epoch: int = getattr(database, "epoch", 0)
    return epoch


class _Heartbeat:
    """A counter that was seen to change, and the time since, by the clock of the observer."""

    def __init__(self) -> None:
        self._sign: Any = None
        self._since = 0.0
        self.has_moved = False
        """Whether the counter was ever seen to change."""

    def still(self, sign: Any) -> float:
        """Return the seconds since *sign* was first seen."""
        if sign != self._sign:
            self.has_moved = self._sign is not None
            self._sign, self._since = sign, time.monotonic()
        return time.monotonic() - self._since
