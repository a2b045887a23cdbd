"""The lease: of all schedulers of a database one leads; the others take over when it is silent.

Each of them beats: a counter of its own in the database goes up. Who looks at it sees by its
own monotonic clock for how long it has stood still: no two clocks are compared, and none that
is put forward or back matters. Whoever leads does so for one term, and all that it commits
is bound to that: one that was stopped or cut off, and goes on in the belief that it leads, can
change nothing.
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
from scheduler.leadership.roster import Candidate, Roster, begin_here, end_here, office_of
from scheduler.leadership.watchdog import Watchdog
from scheduler.storage import outage_log
from scheduler.storage.outage import is_passing, is_trouble, told
from scheduler.store import has_changes, transact

log = logging.getLogger(__name__)

Result = TypeVar("Result")

# The leader beats so often while somebody stands by, else not at all: each beat is a commit.
BEAT_SECONDS = 1.25
# Who stands by shows that so often, and is forgotten when it has not for so long.
STANDBY_SECONDS = 10.0
FORGOTTEN_SECONDS = 30.0
# A leader that has not beaten for so long has lost its office to the first who asks for it.
SILENCE_SECONDS = 3.0
# Who is seen to be stopped, on the same machine, has so after less.
STOPPED_SECONDS = 1.5
# One that was not watched has to notice first that it is now.
FIRST_SILENCE_SECONDS = 6.0
LOOK_SECONDS = 0.5
CLOSE_SECONDS = 5.0


class Lease:
    """The right to write the shelves of *database* during one *term* of office."""

    def __init__(self, database: DB, term: int, pulse: Activity | None = None) -> None:
        self._database = database
        self._term = term
        self._epoch = _epoch_of(database)
        self.pulse = pulse or Activity()
        self.is_lost = False

    def guard(self, connection: Connection) -> None:
        """Bind what *connection* has changed to this term; called last, before the commit.

        Raises LeadershipLost when the term is over; if it ends now, the commit conflicts.
        """
        office = office_of(connection)
        office._p_activate()  # the serial of a ghost is an old one, or none
        if office.term != self._term:
            self.is_lost = True
            raise LeadershipLost(f"a scheduler on {office.hostname}, pid {office.pid}, leads now")
        if self._epoch != _epoch_of(self._database):
            # What runs, and what was given to whom, is not what the database says.
            self.is_lost = True
            raise LeadershipLost("the database was put back to an earlier state")
        if has_changes(connection) and not office._p_changed:
            connection.readCurrent(office)

    def transact(self, work: Callable[[Connection], Result], *, note: str) -> Result:
        """Run *work* as `scheduler.store.transact` does, bound to this term."""

        def bound(connection: Connection) -> tuple[Result, bool]:
            result = work(connection)
            self.guard(connection)
            return result, has_changes(connection)

        try:
            result, has_written = transact(self._database, bound, note=note)
        except Exception as error:
            if is_trouble(error):
                self.pulse.failed(note, told(error))
            raise
        self.pulse.succeeded(note, has_written=has_written)
        if has_written:
            outage_log.written()
        return result


class Election:
    """The wish of a scheduler to lead *database*: within its `with` block it is known, and beats.

    *token* names this scheduler, for ever and everywhere; *pulse* is its own.
    """

    def __init__(self, database: DB, token: str, pulse: Activity | None = None) -> None:
        self._pulse = pulse or Activity()
        self._database = database
        self._token = token
        self._leader = _Heartbeat()
        self._others: defaultdict[str, _Heartbeat] = defaultdict(_Heartbeat)
        self._last_beat = 0.0
        self._closing = threading.Event()
        self._heart = threading.Thread(target=self._beat_on, name="heart", daemon=True)

    def __enter__(self) -> Self:
        begin_here(self._token)
        self._warden = Watchdog(getattr(self._database, "uri", None))
        with self._warden.asking():
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
        self._warden.close()
        self._heart.join(CLOSE_SECONDS)
        end_here(self._token)
        try:
            transact(self._database, self._leave, note="scheduler: end")
        except Exception as trouble:
            if not is_trouble(trouble):
                raise
            log.warning("%s; that this scheduler has ended will be seen", told(trouble))

    def seek(self, *, is_patient: bool) -> Lease | None:
        """Return the lease of a new term if nobody leads, or who does has fallen silent.

        None while that is not so, or cannot be told. Where somebody is seen to lead and this
        one is not patient, SchedulerException says who.
        """
        try:
            with self._warden.asking():
                self._ask_server()
                lease = transact(
                    self._database, lambda own: self._look(own, is_patient), note="scheduler: lead"
                )
            outage_log.reached()
            if lease is not None:
                self._warden.leader = None  # who led before is in nobody's way now
            return lease
        except Exception as error:
            if not is_passing(error):
                raise
            self._note(error, "who leads cannot be told")
            return None

    def _note(self, error: Exception, what: str) -> None:
        if is_trouble(error):
            outage_log.met(error)
        else:
            log.info("%s: %s", what, error)

    def _ask_server(self) -> None:
        # What is read may all be known here, and nothing show that the server stands still.
        ping = getattr(self._database.storage, "ping", None)
        if ping is not None:
            ping()

    def _look(self, connection: Connection, is_patient: bool) -> Lease | None:
        office = office_of(connection)
        if office.token == self._token:
            return Lease(self._database, office.term, self._pulse)
        leader: Candidate | None = office.candidates.get(office.token)
        if office.is_taken() and leader is not None and not self._is_silent(office, leader):
            if not is_patient and (office.is_certain() or self._leader.has_moved):
                raise SchedulerException(
                    f"a scheduler of this database runs on {office.hostname} with pid "
                    f"{office.pid}: stop it first, or let this one stand by"
                )
            self._warden.leader = office.process
            return None
        office.take(self._token)
        if leader is not None:
            connection.readCurrent(leader)  # if it beats after all, this is a conflict
        return Lease(self._database, office.term, self._pulse)

    def _is_silent(self, office: Roster, leader: Candidate) -> bool:
        # To have taken office is a sign of life, too.
        still = self._leader.still((office.term, leader.beats))
        if office.process is not None and office.process.is_stopped():
            return still > STOPPED_SECONDS
        return still > (SILENCE_SECONDS if self._leader.has_moved else FIRST_SILENCE_SECONDS)

    def _leave(self, connection: Connection) -> None:
        office_of(connection).leave(self._token)

    def _enter(self, connection: Connection) -> None:
        office_of(connection).enter(self._token).beat()

    def _beat_on(self) -> None:
        while not self._closing.wait(BEAT_SECONDS):
            try:
                with self._warden.asking():
                    self._ask_server()
                    if transact(self._database, self._beat, note="scheduler: beat"):
                        self._last_beat = time.monotonic()
                outage_log.reached()
            except Exception as error:
                if not is_passing(error):
                    log.exception("the heart stands still")
                    raise
                self._note(error, "a beat is left out")

    def _beat(self, connection: Connection) -> bool:
        office = office_of(connection)
        others = {
            token: self._others[token].still(each.beats)
            for token, each in office.candidates.items()
            if token != self._token
        }
        if office.token != self._token:
            is_due = time.monotonic() - self._last_beat >= STANDBY_SECONDS
        else:
            is_due = bool(others)
            for token, still in others.items():
                if still > FORGOTTEN_SECONDS:
                    del office.candidates[token]
        if is_due:
            office.enter(self._token).beat()
        return is_due


def _epoch_of(database: DB) -> int:
    epoch: int = getattr(database, "epoch", 0)
    return epoch


class _Heartbeat:
    """A sign of life that changes, and for how long it has not, by the clock of who looks at it."""

    def __init__(self) -> None:
        self._sign: Any = None
        self._since = 0.0
        self.has_moved = False
        """Whether it was ever seen to change."""

    def still(self, sign: Any) -> float:
        """Return for how many seconds the sign has been seen to be this one."""
        if sign != self._sign:
            self.has_moved = self._sign is not None
            self._sign, self._since = sign, time.monotonic()
        return time.monotonic() - self._since
