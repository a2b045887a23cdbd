"""The service: database, listeners, scheduler and web front end, started in this order."""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, replace
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Self

from ZODB.Connection import Connection

from daemon.config import Config
from daemon.console.action_list import actions_of
from daemon.console.loopback import is_loopback
from daemon.console.panel import Panel
from daemon.logs.running_log import RUNNING_LOG
from daemon.maintenance.packing import Packing
from daemon.maintenance.resealing import reseal
from daemon.process.livesync_process import LivesyncProcess
from daemon.process.web_process import WebProcess
from daemon.watches.alerts import AlertWatch
from daemon.watches.capture_alarm import CaptureAlarm
from daemon.watches.code_watch import CodeWatch
from daemon.web.export_part import export_part
from daemon.web.health import Health
from daemon.web.metrics import Metrics
from daemon.web.probes import Probes
from daemon.web.server import Application, ConsoleApplication, NoConsole, WebServer, front
from export.auth.browser_sessions import sessions
from export.model import listeners
from export.model.catalogue import catalogue
from export.people.roles import roles
from export.people.user import users
from livesync import SyncManager
from livesync.http.stream_places import end_streams
from scheduler import Scheduler, SchedulerModule, hooks
from scheduler.errors import SchedulerException
from scheduler.leadership.roster import roster_of
from scheduler.runtime.application import Application as TaskApplication
from scheduler.shelves.figures import figures_of
from scheduler.storage.process_identity import ProcessIdentity
from scheduler.store import Database, default_uri, open_database, transact

log = logging.getLogger(__name__)

START_SECONDS = 10
CONSOLE_NEEDS = ("jinja2", "werkzeug")


class Service:
    """The parts of the daemon, running from the entry of its `with` block to the exit.

    The exit reverses the start: the front end closes, the scheduler ends after its tasks, the
    database is closed. *stop* is set when the scheduler has ended by itself. Raises
    DatabaseUnavailable, SchedulerException where another scheduler is alive, DaemonException.
    """

    def __init__(
        self,
        config: Config,
        stop: threading.Event,
        panels: Sequence[Panel] = (),
        *,
        watches_code: bool = False,
    ) -> None:
        self._watches_code = watches_code
        self._config = config
        self._stop = stop
        self._panels = panels
        self.uri = config.database or default_uri()
        self.database: Database
        self.web: WebServer
        self.failure: BaseException | None = None
        """The error that ended the scheduler; None while it runs, or if it was shut down."""

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self.database = open_database(self.uri)
            stack.callback(self.database.close)
            transact(self.database, plant, note="daemon: plant")
            reseal(self.database)
            self._scheduler = Scheduler(database=self.database, **asdict(self._config.scheduler))
            self._health = Health(self.database, self._scheduler.complaint)
            self.probes = Probes(
                lambda: self._end() or self._scheduler.standstill(),
                self.health,
                self._health.database_fault,
                lambda: self._scheduler.leads,
            )
            for listener in listeners.subscribe_installed():
                stack.callback(listeners.unsubscribe, listener)
            self._start_metrics(stack)
            stack.enter_context(RUNNING_LOG)
            self._start_scheduler(stack)
            self._start_packing(stack)
            self._start_alerts(stack)
            self._start_code_watch(stack)
            self._start_alarm(stack)
            self._start_following(stack)
            self._start_web(stack)
            self._closing = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        log.info("daemon %d is stopping", os.getpid())
        self._closing.close()
        log.info("daemon %d has stopped", os.getpid())

    def health(self) -> str:
        """Return the fault of the daemon; empty if it is healthy."""
        return self._end() or self._health.fault()

    def _end(self) -> str:
        return "" if self._thread.is_alive() else "the scheduler is not running"

    def _start_metrics(self, stack: ExitStack) -> None:
        self._metrics = Metrics(self.database, self.health, lambda: self._scheduler.leads)
        self._scheduler.on_commit.append(self._metrics.tasks.note)
        hooks.add(self._metrics.tasks)
        stack.callback(hooks.remove, self._metrics.tasks)

    def _start_scheduler(self, stack: ExitStack) -> None:
        self._thread = threading.Thread(target=self._run_scheduler, name="scheduler")
        self._thread.start()
        stack.callback(self._end_scheduler)
        self._wait_until_leading()

    def _wait_until_leading(self) -> None:
        pause = threading.Event()
        for _ in range(START_SECONDS * 50):
            if self.failure is not None:
                raise self.failure
            if self._scheduler.leads or self._stands_by():
                return
            pause.wait(0.02)

    def _stands_by(self) -> bool:
        is_meant = self._config.scheduler.standby
        return is_meant and transact(self.database, _is_seen_to_stand_by)

    def _run_scheduler(self) -> None:
        try:
            self._scheduler.run()
        except SchedulerException as error:
            log.info("the scheduler of daemon %d ended: %s", os.getpid(), error)
            self.failure = error
        except BaseException as error:
            log.exception("the scheduler of daemon %d ended", os.getpid())
            self.failure = error
        finally:
            self._stop.set()

    def _end_scheduler(self) -> None:
        self._scheduler.shutdown("the daemon ends")
        self._thread.join()

    def _start_packing(self, stack: ExitStack) -> None:
        packing = Packing(self.database, self._config.pack, lambda: self._scheduler.leads)
        packing.start()
        stack.callback(packing.close)

    def _start_alarm(self, stack: ExitStack) -> None:
        alarm = CaptureAlarm(self.database, lambda: self._scheduler.leads)
        alarm.start()
        stack.callback(alarm.close)

    def _start_code_watch(self, stack: ExitStack) -> None:
        if self._watches_code:
            watch = CodeWatch(self.database)
            watch.start()
            stack.callback(watch.close)

    def _start_alerts(self, stack: ExitStack) -> None:
        settings = self._config.alerts
        if settings.command or settings.mail:
            alerts = AlertWatch(self.database, settings, lambda: self._scheduler.leads)
            alerts.start()
            stack.callback(alerts.close)

    def _start_following(self, stack: ExitStack) -> None:
        if self._config.livesync.push:
            following = LivesyncProcess(self.uri, TaskApplication.of(self._config.scheduler))
            stack.callback(following.close)
            self._scheduler.on_reload.append(following.restart)

    def _start_web(self, stack: ExitStack) -> None:
        export = export_part(self.database, self._config.export)
        stack.callback(export.close)
        console = self._console(stack)
        answering = front(
            export,
            console,
            self.health,
            self._metrics.text,
            self._health.database_fault,
            self.probes.by_path(),
        )
        self.web = WebServer(answering, self._config.web, console.owns)
        stack.callback(self.web.close)
        stack.callback(end_streams, self.database)
        if self._config.web.processes > 1:
            self._start_web_processes(stack, answering, console)
        log.info("the front end is at %s", self.web.url)

    def _start_web_processes(
        self, stack: ExitStack, answering: Application, console: ConsoleApplication
    ) -> None:
        """Start the further processes, and listen where they pass requests on to."""
        path = str(Path(stack.enter_context(TemporaryDirectory(prefix="relay-"))) / "web")
        listening = socket.socket(socket.AF_UNIX)
        listening.bind(path)
        web = self._config.web
        inner = WebServer(answering, replace(web, trusted_proxy="*"), console.owns, listening)
        stack.callback(inner.close)
        loaded = TaskApplication.of(self._config.scheduler)
        for _ in range(web.processes - 1):
            further = WebProcess(
                *(self.uri, self.web.listening, path, web, self._config.export, loaded)
            )
            stack.callback(further.close)
            self._scheduler.on_reload.append(further.restart)

    def _console(self, stack: ExitStack) -> ConsoleApplication:
        missing = next((name for name in CONSOLE_NEEDS if find_spec(name) is None), None)
        if missing is not None:
            return NoConsole(missing)
        from daemon.console.application import Console  # only here: Jinja2 may be missing

        console = Console(
            self.database,
            self.health,
            is_local=is_loopback(self._config.web.host),
            panels=self._panels,
        )
        stack.callback(console.close)
        return console


def plant(connection: Connection) -> None:
    """Create or upgrade the schema of every part."""
    SchedulerModule.getDBInstance(connection).getStatus()
    SyncManager.getDBInstance(connection)
    catalogue(connection)
    users(connection)
    roles(connection)
    sessions(connection)
    actions_of(connection)
    figures_of(connection)


def _is_seen_to_stand_by(connection: Connection) -> bool:
    own = ProcessIdentity.this_process()
    return any(each.owner == own for each in roster_of(connection).standing_by())
