"""The scheduler: it waits to lead, and leads, until it is told to shut down."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from typing import Any

from ZODB import DB

from scheduler.dispatch.declaration import Functions, declare, declared_in
from scheduler.dispatch.dispatcher import Dispatcher
from scheduler.dispatch.renewal import renew_code
from scheduler.dispatch.repair import Repair
from scheduler.dispatch.shutdown import ShutdownRequest
from scheduler.dispatch.tick_counts import Tell, TickCounts
from scheduler.errors import (
    DatabaseDamaged,
    LeadershipLost,
    NoConnectionError,
    SchedulerConfigurationException,
    SchedulerQuitException,
)
from scheduler.executors import start_executor
from scheduler.inbox.spool import Instruction
from scheduler.leadership.activity import Activity
from scheduler.leadership.lease import LOOK_SECONDS, Election, Lease
from scheduler.runtime.application import Application
from scheduler.runtime.hook_registry import REGISTRY
from scheduler.settings import Settings
from scheduler.storage import outage_log
from scheduler.storage.outage import is_outage, is_transient
from scheduler.store import current, default_uri, open_database
from scheduler.store.commit_signal import CommitSignal
from scheduler.store.database import watch_restores
from scheduler.store.database_uri import file_of
from scheduler.store.missing_class import UNREADABLE, reason_of, unreadable_object

log = logging.getLogger(__name__)


class Scheduler:
    """Runs the tasks of a database until it is told to shut down (reference 3.2, 3.7).

    *config* holds the settings (see `scheduler.settings.Settings`) and `database`, a `ZODB.DB`
    or a URI; without it, the current connection's database, else the default one. Raises
    SchedulerConfigurationException for an unknown option or a value that cannot be used.
    """

    def __init__(self, **config: Any) -> None:
        self._database = _chosen(config.pop("database", None))
        self._settings = Settings.of(config)
        self._made = time.time()
        self._token = secrets.token_hex(8)
        self._stop = ShutdownRequest()
        self._lease: Lease | None = None
        self._activity = Activity()
        self._declared: Functions = {}
        self.on_reload: list[Callable[[], None]] = []
        """Called in the scheduler's thread when its workers are about to be replaced."""

        self.on_commit: list[Tell] = []
        """Called in the scheduler's thread with what each of its commits has brought."""

    def run(self) -> int:
        """Run until a shutdown; return 0 then. Works in any thread.

        In the main thread, SIGTERM, SIGINT and SIGHUP shut it down, too; a second one kills. Raises
        SchedulerException when another scheduler of this database is alive, unless it is to
        stand by (`standby`), SchedulerConfigurationException when a module of `imports`, or a
        hook, cannot be imported, and DatabaseDamaged when its own data cannot be read. A scheduler
        that was taken for dead stands by from then on.
        """
        self._declared = declared_in(Application.of(self._settings).load())
        with ExitStack() as stack:
            stack.enter_context(self._stop.on_signals())
            database = self._open(stack)
            try:
                self._lead_in_turn(database, stack)
            except SchedulerQuitException as quit_:
                log.warning("shutting down: %s", quit_)
            except UNREADABLE as error:
                raise DatabaseDamaged(
                    f"{unreadable_object(error)} cannot be read ({reason_of(error)}), and the "
                    f"scheduler cannot do without it: restore the database from a backup"
                    f"{_restoring(database)}"
                ) from error
            return 0

    @property
    def leads(self) -> bool:
        """Whether this is the scheduler that works; False while it stands by."""
        return self._lease is not None and not self._lease.is_lost

    def complaint(self) -> str:
        """Say what keeps this scheduler from its work, as far as it knows; empty for nothing.

        Nothing is read for it. It says so where the database could not be written the last time,
        and where tasks are due and workers neither take nor end any.
        """
        return self._activity.complaint()

    def standstill(self) -> str:
        """Say for how long this scheduler is at one step; empty if that is no reason to worry."""
        return self._activity.standstill()

    def shutdown(self, msg: str = "") -> None:
        """Make `run` return, from another thread; as `Client.shutdown`, without the database."""
        self._stop.ask(msg)

    def _is_meant(self, shutdown: Instruction) -> bool:
        # The clock tells only where nobody ran then: clocks are set back, and differ from others.
        if shutdown.meant_for is not None:
            return shutdown.meant_for == self._token
        return shutdown.given >= self._made

    def _lead_in_turn(self, database: DB, stack: ExitStack) -> None:
        """Lead, and stand by, until SchedulerQuitException ends it."""
        candidacy = stack.enter_context(Election(database, self._token, self._activity))
        is_patient = self._settings.standby
        while True:
            self._lease = self._wait_for_lease(candidacy, is_patient)
            self._lead(database, self._lease)
            is_patient = True

    def _wait_for_lease(self, candidacy: Election, is_patient: bool) -> Lease:
        while self._stop.asked is None:
            lease = candidacy.seek(is_patient=is_patient)
            if lease is not None:
                return lease
            time.sleep(LOOK_SECONDS)
        raise self._stop.asked

    def _lead(self, database: DB, lease: Lease) -> None:
        """Work until another one leads; SchedulerQuitException ends it for good."""
        while True:
            try:
                return self._work(database, lease)
            except SchedulerQuitException:
                raise
            except Exception as error:
                if is_transient(error) or not self._repair(lease):
                    raise

    def _repair(self, lease: Lease) -> bool:
        """Make anew what cannot be read of the shelves; return whether there was such."""
        tries = self._settings.task_max_tries
        done = lease.transact(lambda own: Repair(own, tries).carry_out(), note="scheduler: repair")
        if done:
            log.error("the scheduler's own data was damaged and is repaired: %s", done)
        return bool(done)

    def _work(self, database: DB, lease: Lease) -> None:
        """Work until another one leads, or something is wrong."""
        try:
            with ExitStack() as stack:
                wake = CommitSignal(database)
                stack.callback(wake.close)
                stack.callback(self._activity.end)
                stack.callback(REGISTRY.flush)
                self._stop.wake = wake
                executor = start_executor(database, self._settings, wake.set, stack)
                is_meant, renew = self._is_meant, partial(self._renew, lease)
                loop = Dispatcher(
                    *(database, lease, self._settings, executor, self._stop, wake),
                    *(is_meant, renew, self._count),
                )
                stack.callback(loop.close)
                self._declare(lease)
                loop.run()
        except LeadershipLost as loss:
            log.warning("standing by: %s", loss)
        except Exception as error:
            if not is_outage(error):
                raise
            outage_log.met(error)

    def _renew(self, lease: Lease) -> None:
        self._declared = declared_in(renew_code(Application.of(self._settings)))
        self._declare(lease)
        for call in self.on_reload:
            call()

    def _count(self, counts: TickCounts) -> None:
        for call in self.on_commit:
            call(counts)

    def _declare(self, lease: Lease) -> None:
        if self._settings.imports:
            lease.transact(
                lambda connection: declare(connection, self._declared),
                note="scheduler: declared schedules",
            )

    def _open(self, stack: ExitStack) -> DB:
        if isinstance(self._database, DB):
            watch_restores(self._database)
            return self._database
        database = open_database(self._database or default_uri())
        stack.callback(database.close)
        return database


def _restoring(database: DB) -> str:
    """Return the command that restores *database*, if it is a file, as a part of a sentence."""
    file = file_of(str(getattr(database, "uri", "")))
    if file is None:
        return ""
    return f": end all processes that use it, then `repozo -R -r BACKUP -o {file}`"


def _chosen(database: DB | str | None) -> DB | str | None:
    """Return the database to use: *database*, else that of the current connection, if any."""
    if database is None:
        try:
            return current().db()
        except NoConnectionError:
            return None
    if not isinstance(database, DB | str):
        raise SchedulerConfigurationException(
            f"database is {database!r}; it must be a ZODB.DB or a URI"
        )
    return database
