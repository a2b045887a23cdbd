"""The loop: it takes instructions out of the spool and gives due tasks to workers.

It is the only writer of the shelves. One tick does in one commit what has gathered: drain
the spool, shelve what has ended, claim what is due; then it sleeps until something is
committed, ends, or falls due.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from functools import partial

import transaction
from transaction.interfaces import TransientError
from ZODB import DB
from ZODB.Connection import Connection

from scheduler.clock import nowutc
from scheduler.dispatch.figure_notes import FigureNotes
from scheduler.dispatch.pruner import Pruner
from scheduler.dispatch.reconciliation import Reconciliation
from scheduler.dispatch.shutdown import ShutdownRequest
from scheduler.dispatch.tick import Tick
from scheduler.dispatch.tick_counts import Tell
from scheduler.dispatch.worker_report import WorkerReport
from scheduler.errors import LeadershipLost, SchedulerQuitException
from scheduler.executors import Executor, ExecutorReport, Lost
from scheduler.inbox import spool
from scheduler.inbox.claims import Claim
from scheduler.inbox.spool import Instruction
from scheduler.leadership.lease import Lease
from scheduler.settings import Settings
from scheduler.shelves.module import SchedulerModule
from scheduler.states import TASK_STATUS_FAILED, TASK_STATUS_QUEUED
from scheduler.storage import outage_log
from scheduler.storage.outage import abort_quietly, is_outage, is_transient, outage_text, pause
from scheduler.store import has_changes, using
from scheduler.store.commit import commit_lazily
from scheduler.store.commit_signal import CommitSignal
from scheduler.store.snapshot import give_back_between
from scheduler.store.transact import backoff

log = logging.getLogger(__name__)

TICK = "scheduler: tick"
DRAIN_LIMIT = 200
CONFLICT_TRIES = 20
# Tries of a tick after which a conflict, or an outage, in a step of it is the fault of its task, as
# long as the database answers.
PASSING_TRIES = 5
LONGEST_SLEEP = 3600.0
# Seconds until due tasks that could not be claimed are looked for again; a place that becomes
# free wakes the loop earlier.
LEAST_SLEEP = 0.05
# Seconds between two searches for changes that were undone.
UNDONE_SECONDS = 1.0
# While each worker has PLENTY of claims, the loop gathers reports for GATHER_SECONDS before it
# commits them together; while several tasks are at work, ticks are APART_SECONDS apart for each
# task that the last one has given out, up to GATHER_SECONDS.
PLENTY = 16
GATHER_SECONDS = 0.01
APART_SECONDS = 0.003

ENDED_MEANWHILE = "the scheduler ended while this task was running"
ENDED_WITH_SEVERAL = "the scheduler ended while this task ran, or waited for its worker"


class Dispatcher:
    """One run of the scheduler: its connection, its workers, and what it does in each tick."""

    def __init__(
        self,
        database: DB,
        lease: Lease,
        settings: Settings,
        executor: Executor,
        stop: ShutdownRequest,
        wake: CommitSignal,
        is_meant: Callable[[Instruction], bool],
        renew: Callable[[], None],
        tell: Tell,
    ) -> None:
        self._tell = tell
        self._renew = renew
        self._database = database
        self._activity = lease.activity
        if settings.multitask_mode != "dask":  # whose cluster would have to be asked
            self._activity.workers = executor.workers
        self._lease = lease
        self._settings = settings
        self._executor = executor
        self._stop = stop
        self._wake = wake
        self._is_meant = is_meant
        self._manager = transaction.TransactionManager()
        self._connection = self._open()
        self._worker_report = WorkerReport(lease, executor)
        self._retention = Pruner(lease, settings)
        self._reconciliation = Reconciliation(executor, self._connection)
        self._figures = FigureNotes()
        self._given: dict[int, Claim] = {}
        self._is_unsure = self._is_reloading = False
        self._next_due: float | None = None
        self._in_vain = 0.0  # when there was room, and nothing to be had
        self._last_claimed = 1
        self._next_tending = self._next_undone = self._ticked = 0.0

    def run(self) -> None:
        """Tick for ever; SchedulerQuitException ends it."""
        self._recover()
        while True:
            is_busy = self._tick()
            self._ticked = time.monotonic()
            self._seldom(self._worker_report.note)
            self._seldom(self._retention.step)
            self._seldom(self._tend)
            self._seldom(self._bring_back)
            self._seldom(self._follow_undone)
            self._seldom(self._reconciliation.step)
            if is_busy:
                continue
            seconds = self._sleep()
            self._activity.rest(seconds)
            if self._wake.wait(seconds):
                time.sleep(self._gathering())
            self._activity.rest(0)

    def close(self) -> None:
        """Wait for running tasks, settle their outcomes, and put back tasks that were not begun."""
        # The new leader runs the tasks again that ran under a lease that is lost.
        rest = self._executor.shutdown(
            0 if self._lease.is_lost else self._settings.shutdown_timeout
        )
        gathered = self._executor.collect()
        abort_quietly(self._manager)
        self._connection.close()

        def put_away(connection: Connection) -> None:
            tick = Tick(SchedulerModule.getDBInstance(connection))
            self._write_down(tick, gathered)
            for claim in rest:
                tick.settlement.put_back(claim)

        try:
            self._lease.transact(put_away, note="scheduler: stop")
        except LeadershipLost as loss:
            log.info("what was at work is left to others: %s", loss)
        except Exception as error:
            if not is_outage(error):
                raise
            log.warning("%s; the next start looks after what was running", outage_text(error))

    def _tick(self) -> bool:
        """Do what is to be done now; say whether there may be more at once."""
        gathered = self._executor.collect()
        attempt = conflicts = 0
        is_careful = False
        while True:
            attempt += 1
            try:
                is_strict = attempt > PASSING_TRIES and self._answers()
                return self._work(gathered, is_careful=is_careful, is_strict=is_strict)
            except (LeadershipLost, SchedulerQuitException):
                abort_quietly(self._manager)
                raise
            except Exception as error:
                abort_quietly(self._manager)
                if is_outage(error):
                    # Whether it was committed is unknown; all of it can be written down twice.
                    self._is_unsure = True
                    self._wait_out(error, attempt)
                    continue
                if not isinstance(error, TransientError):
                    if is_careful:
                        raise
                    is_careful = True
                    continue
                conflicts += 1
                if conflicts == CONFLICT_TRIES:
                    raise
                log.info("the tick met a conflict: %s", error)
                time.sleep(backoff(conflicts))

    def _wait_out(self, error: Exception, attempt: int) -> None:
        if self._stop.asked is not None:
            raise self._stop.asked from error
        outage_log.met(error)
        self._activity.failed(TICK, outage_text(error))
        self._activity.rest(pause(attempt))
        self._wake.wait(pause(attempt))

    def _answers(self) -> bool:
        """Return whether the server of the database answers."""
        ping = getattr(self._connection.db().storage, "ping", None)
        try:
            if ping is not None:
                ping()
        except Exception as error:
            if not is_transient(error):
                raise
            return False
        return True

    def _work(self, gathered: ExecutorReport, *, is_careful: bool, is_strict: bool) -> bool:
        unit = self._manager.begin()
        unit.note(TICK)
        commit_lazily(unit)  # all of it follows from what clients and workers have committed
        with using(self._connection):
            module = SchedulerModule.getDBInstance(self._connection)
            tick = Tick(module, is_careful=is_careful, is_strict=is_strict)
            self._write_down(tick, gathered)
            instructions = module.getSpool().take(DRAIN_LIMIT)
            quit_ = self._perform(tick, instructions)
            is_open = quit_ is None and not module.is_paused
            room = self._executor.room() if is_open else 0
            now = nowutc().timestamp()
            claims = tick.claiming.claim(now, room, self._settings.queues)
            self._in_vain = now if room > 0 and not claims else 0.0
            if self._is_unsure:
                claims = self._not_given(module, gathered)
            self._next_due = module.queues.next_due(self._settings.queues) if is_open else None
            if has_changes(self._connection):
                late = 0.0 if self._next_due is None else max(0.0, now - self._next_due)
                self._figures.take(tick.settlement.ended, late)
            self._figures.write(module, now)
            has_written = has_changes(self._connection)
            self._lease.guard(self._connection)
            self._manager.commit()
        self._follow_up(tick, claims, gathered, has_written=has_written)
        if quit_ is not None:
            raise quit_
        return tick.has_more or len(instructions) == DRAIN_LIMIT

    def _follow_up(
        self, tick: Tick, claims: list[Claim], gathered: ExecutorReport, *, has_written: bool
    ) -> None:
        """Do what follows from the commit of *tick*."""
        self._activity.succeeded(TICK, has_written=has_written)
        (outage_log.written if has_written else outage_log.reached)()
        self._is_unsure = False
        self._figures.committed()
        for claim in tick.stopped:
            self._executor.stop(claim)
        self._hand_out(claims, gathered)
        self._tell(tick.counts(has_written=has_written))
        if tick.instructions.is_reload:
            self._reload()
        self._activity.note(self._waits_since(), has_moved=bool(claims or gathered.outcomes))

    def _reload(self) -> None:
        """Have the new code in this process, and in workers that take the place of the present."""
        try:
            self._renew()
        except Exception:
            log.exception("workers of %s not replaced: no import of the new code", TICK)
            return
        self._wake.notice(self._connection)
        self._connection.close()
        self._connection = self._open()
        self._reconciliation = Reconciliation(self._executor, self._connection)
        self._executor.reload()
        self._is_reloading = True

    def _open(self) -> Connection:
        connection: Connection = self._database.open(self._manager)
        give_back_between(connection)
        self._wake.ignore(connection)
        return connection

    def _bring_back(self) -> None:
        """Take tasks out of quarantine whose code has come with the new workers."""
        if self._is_reloading and not self._executor.is_reloading():
            self._lease.transact(_reclaim, note="scheduler: reload")
            self._is_reloading = False

    def _write_down(self, tick: Tick, gathered: ExecutorReport) -> None:
        for outcome in gathered.outcomes:
            tick.settlement.settle(outcome)
        for lost in gathered.lost:
            tick.settlement.rescue(lost, self._settings.task_max_tries)
        for progress in gathered.progress:
            tick.settlement.note_progress(progress)

    def _perform(
        self, tick: Tick, instructions: list[Instruction]
    ) -> SchedulerQuitException | None:
        quit_ = self._stop.asked
        for instruction in instructions:
            if instruction.op != spool.SHUTDOWN:
                tick.instructions.perform(instruction)
            elif not self._is_meant(instruction):
                log.warning("shutdown %r ignored: an earlier scheduler was meant", instruction.obj)
            else:
                quit_ = SchedulerQuitException(instruction.obj)
        return quit_

    def _not_given(self, module: SchedulerModule, gathered: ExecutorReport) -> list[Claim]:
        known = self._given.keys() - {outcome.claim.number for outcome in gathered.outcomes}
        return [claim for claim in module.running.claims() if claim.number not in known]

    def _hand_out(self, claims: list[Claim], gathered: ExecutorReport) -> None:
        for number in gathered.numbers():
            self._given.pop(number, None)
        if claims:
            self._last_claimed = len(claims)
            self._given.update((claim.number, claim) for claim in claims)
            self._executor.submit(claims)

    def _waits_since(self) -> float | None:
        if len(self._given) > self._settings.workers:
            return next(iter(self._given.values())).since
        return self._next_due

    def _gathering(self) -> float:
        """Return for how many seconds more is gathered, before it is committed together."""
        if len(self._given) > PLENTY * self._settings.workers:
            return GATHER_SECONDS
        if len(self._given) <= 1:
            return 0.0
        apart = min(GATHER_SECONDS, APART_SECONDS * self._last_claimed)
        return max(0.0, self._ticked + apart - time.monotonic())

    def _sleep(self) -> float:
        rests = [self._retention.rest(), self._worker_report.rest(), self._executor.rest()]
        rests += [self._reconciliation.rest()] if self._given else []
        rests += [self._figures.rest()] if self._figures.are_open else []
        interval = max(LEAST_SLEEP, self._settings.sleep_interval)
        longest = min(interval, LONGEST_SLEEP, *rests)
        due = self._next_due
        if due is not None and self._executor.room() > 0:
            is_new = due > self._in_vain
            longest = min(longest, due - nowutc().timestamp() if is_new else LEAST_SLEEP)
        return max(0, longest)

    def _seldom(self, step: Callable[[], None]) -> None:
        try:
            step()
        except Exception as error:
            if not is_transient(error):
                raise
            if is_outage(error):
                outage_log.met(error)
            else:
                log.info("what is not urgent is done later: %s", error)

    def _tend(self) -> None:
        if time.monotonic() < self._next_tending:
            return
        self._next_tending = time.monotonic() + self._settings.sleep_interval
        if random.random() < self._settings.awol_tasks_check_probability:  # noqa: S311
            self._lease.transact(_tend_shelves, note="scheduler: tend")

    def _follow_undone(self) -> None:
        if time.monotonic() >= self._next_undone:
            self._next_undone = time.monotonic() + UNDONE_SECONDS
            self._lease.transact(
                lambda own: Tick(SchedulerModule.getDBInstance(own)).instructions.follow_undone(),
                note="scheduler: follow what was undone",
            )

    def _recover(self) -> None:
        try:
            self._lease.transact(self._take_back, note="scheduler: recover")
        except Exception as error:
            if not is_transient(error) or not self._answers():
                raise
            strictly = partial(self._take_back, is_strict=True)
            self._lease.transact(strictly, note="scheduler: recover")

    def _take_back(self, connection: Connection, *, is_strict: bool = False) -> None:
        module = SchedulerModule.getDBInstance(connection)
        if module.getSpool().max_size != self._settings.task_max_size:
            module.getSpool().max_size = self._settings.task_max_size
        tick = Tick(module, is_strict=is_strict)
        claims = module.running.claims()
        state = TASK_STATUS_FAILED if len(claims) == 1 else TASK_STATUS_QUEUED
        for claim in claims:
            why = ENDED_MEANWHILE if len(claims) == 1 else ENDED_WITH_SEVERAL
            tick.settlement.rescue(Lost(claim, state, why), self._settings.task_max_tries)
        tick.instructions.reclaim()


def _reclaim(connection: Connection) -> None:
    Tick(SchedulerModule.getDBInstance(connection)).instructions.reclaim()


def _tend_shelves(connection: Connection) -> None:
    module = SchedulerModule.getDBInstance(connection)
    module.getSpool().tend()
    module.unique.tend(nowutc().timestamp())
    module.backlog.tend(nowutc().timestamp())
