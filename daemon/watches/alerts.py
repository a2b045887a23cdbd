"""Alerts: a command, or a mail, tells of new dead letters, escaped changes and agents that lag."""

from __future__ import annotations

import logging
import shlex
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

from ZODB import DB
from ZODB.Connection import Connection
from ZODB.utils import u64

from daemon.config import Alerts
from livesync import PushSyncAgent, SyncManager
from livesync.capture.escapes import REMEDY, escapes_of
from livesync.delivery.status import ACTIVE, FAILING, NOT_RUN, status_of
from scheduler import SchedulerModule, nowutc
from scheduler.runtime.mail_message import bare, compose
from scheduler.runtime.smtp import MailServer
from scheduler.states import TASK_STATUS_ABORTED
from scheduler.store.missing_class import reason_of
from scheduler.store.read_view import read_view
from scheduler.tasks.naming import unread_name_of

log = logging.getLogger(__name__)

LOOK_SECONDS = 5.0
COMMAND_SECONDS = 60.0
# Dead letters of one kind that a look reads, the newest ones.
READ = 200
LINES = 50

Found = dict[tuple[Any, ...], str]
"""A line to send for each dead letter, each escaped transaction and each agent that lags."""


class AlertWatch:
    """A thread that looks for new dead letters, escapes and lags, while *is_in_charge* is true.

    Dead letters that are there at the start are in no alert. One alert has all that is new since
    the last one; the next is sent `every` so many seconds after it, or later.
    """

    def __init__(self, database: DB, settings: Alerts, is_in_charge: Callable[[], bool]) -> None:
        self._database = database
        self._settings = settings
        self._is_in_charge = is_in_charge
        self._known: Found | None = None
        self._lines: list[str] = []
        self._next_alert = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="alerts", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._look()
        self._thread.start()

    def close(self) -> None:
        """End the thread."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(LOOK_SECONDS):
            self._look()
            if self._lines and time.monotonic() >= self._next_alert:
                self._send()

    def _look(self) -> None:
        try:
            with read_view(self._database) as connection:
                found = {**dict(_dead_letters(connection)), **_escapes(connection)}
                lags = dict(_lags(connection, self._settings.lag))
        except Exception as error:  # noqa: BLE001 (an outage, for one: the next look sees more)
            log.info("database %s: no look for alerts: %s", self._database.getName(), error)
            return
        known = found if self._known is None else self._known
        if self._is_in_charge():
            self._lines += [line for key, line in {**found, **lags}.items() if key not in known]
        self._known = {**found, **lags}

    def _send(self) -> None:
        lines, self._lines = self._lines, []
        self._next_alert = time.monotonic() + self._settings.every
        more = [f"and {len(lines) - LINES} more"] if len(lines) > LINES else []
        text = "\n".join([*lines[:LINES], *more, ""])
        for send in (self._run_command, self._mail):
            try:
                send(text, len(lines))
            except Exception as error:  # noqa: BLE001 (logged; the other way is tried too)
                log.error("alert not sent: %s: %s", error, " | ".join(lines[:5]))  # noqa: TRY400

    def _run_command(self, text: str, count: int) -> None:
        if self._settings.command:
            subprocess.run(  # noqa: S603 (the operator's own)
                shlex.split(self._settings.command),
                input=text,
                text=True,
                check=True,
                timeout=COMMAND_SECONDS,
            )

    def _mail(self, text: str, count: int) -> None:
        if self._settings.mail:
            server = MailServer.configured()
            now = nowutc().timestamp()
            sender = server.sender or self._settings.mail
            subject = f"zodb-relay: {count} alerts" if count > 1 else f"zodb-relay: {text.strip()}"
            to = [self._settings.mail]
            message = compose(f"alert-{now:.6f}", sender, to, [], subject[:200], text, now)
            server.send(message, bare(sender), [bare(self._settings.mail)])


def _dead_letters(connection: Connection) -> Iterator[tuple[tuple[Any, ...], str]]:
    module = SchedulerModule.getDBInstance(connection)
    for ended, task in islice(module.getFailedIndex().newest(), READ):
        yield from _dead_task(ended, task)
    for entry in islice(module.aside(), READ):
        number = u64(entry.obj._p_oid)
        yield ("task", number, entry.since), f"task {number} cannot be loaded: {entry.reason}"
    for agent in _agents(connection):
        for dead_letter in islice(agent.delivery_state.dead_letters.dead(), READ):
            text = (
                f"agent {agent.getId()}: {dead_letter.name} is a dead letter: {dead_letter.reason}"
            )
            yield ("record", agent.getId(), dead_letter.name), text


def _escapes(connection: Connection) -> Found:
    return {("escape", each.tid): f"{each}; {REMEDY}" for each in escapes_of(connection)}


def _dead_task(ended: float, task: Any) -> Iterable[tuple[tuple[Any, ...], str]]:
    try:
        if task.getStatus() == TASK_STATUS_ABORTED:
            return []
        attempts = task.getAttempts()
        why = attempts[-1].message if attempts else "its time had passed"
        line = f"task {task.getId()} ({unread_name_of(task)}) is a dead letter: {why}"
    except Exception as error:  # noqa: BLE001 (its class may be gone)
        line = f"task {u64(task._p_oid)} is a dead letter that cannot be read: {reason_of(error)}"
    return [(("task", u64(task._p_oid), ended), line)]


def _lags(connection: Connection, limit: float) -> Iterator[tuple[tuple[Any, ...], str]]:
    manager = SyncManager.getDBInstance(connection)
    for agent in _agents(connection):
        status = status_of(agent, manager)
        if status.state in (ACTIVE, NOT_RUN, FAILING) and status.lag_seconds > limit:
            why = f", its last failure: {status.last_error}" if status.last_error else ""
            text = f"agent {status.id} lags by {status.lag_seconds:.0f} s: {status.lag_records}"
            yield ("lag", status.id), f"{text} changes wait{why}"


def _agents(connection: Connection) -> Iterator[PushSyncAgent]:
    agents = SyncManager.getDBInstance(connection).agents()
    return (agent for agent in agents if isinstance(agent, PushSyncAgent))
