"""The demonstration: the whole system at work on sample data, with one command."""

from __future__ import annotations

import dataclasses
import logging
import os
import secrets
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from ZODB.Connection import Connection

from daemon.config import Config, LiveSync
from daemon.console.panel import Panel
from daemon.demo import sample
from daemon.demo.receiver import Receiver
from daemon.errors import DaemonException
from daemon.logs.process_log import log_to
from daemon.process.stop_event import stop_on_signals, wait_for
from daemon.service import Service
from daemon.web.shipped_docs import shipped
from export.errors import ExportException
from export.model import listeners
from livesync.errors import LiveSyncException
from scheduler.errors import SchedulerException
from scheduler.store import default_uri, open_database, transact
from scheduler.store.database_uri import URI_VARIABLE
from scheduler.values.legible import legible_output
from scheduler.values.masking import shown_address
from scheduler.worker import ending

FEED_FOLDER = "feed"


@legible_output()
def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demonstration on the default database; return the exit status."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments:
        print(
            "usage: python -m daemon.demo.main; for options see indico_scheduler demo -h",
            file=sys.stderr,
        )
        return 2
    try:
        return run(Config(database=default_uri()))
    except (DaemonException, ExportException, LiveSyncException, SchedulerException) as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1


def run(config: Config) -> int:
    """Run the demonstration until SIGINT or SIGTERM; return the exit status."""
    log_to(None, logging.WARNING)
    logging.getLogger(ending.__name__).addFilter(_in_one_line)
    if config.database.startswith("memory:"):
        raise DaemonException(
            "the demonstration shows how nothing is lost, and memory forgets: give another "
            "--database"
        )
    with stop_on_signals() as stop:
        receiver = Receiver(_former_port(config.database), _say)
        try:
            password = secrets.token_urlsafe(6)
            _prepare(config.database, receiver.url, password)
            panel = Panel("Received", ("Time (UTC)", "Object", "Record"), receiver.last)
            pushing = dataclasses.replace(config, livesync=LiveSync(push=True))
            with Service(pushing, stop, [panel]) as service:
                _say(_welcome(service, config, password))
                wait_for(stop)
                _say("stopping: tasks that run are let end")
        finally:
            receiver.close()
    if service.failure is None:
        _say("stopped; start it again, and it goes on where it was")
    return 1 if service.failure is not None else 0


def _in_one_line(record: logging.LogRecord) -> bool:
    """Take the traceback of a task that fails from its line: the console shows it."""
    record.exc_info = record.exc_text = None
    return True


def _former_port(uri: str) -> int:
    """Return the port that the webhook agent knows from an earlier run."""
    database = open_database(uri)
    try:
        return urlsplit(transact(database, sample.webhook_url)).port or 0
    finally:
        database.close()


def _prepare(uri: str, receiver_url: str, password: str) -> None:
    """Plant the sample at the first use, in one transaction with the record of its changes."""
    folder = _folder_of(uri) / FEED_FOLDER

    def work(connection: Connection) -> None:
        if sample.is_planted(connection):
            sample.retarget(connection, receiver_url)
        else:
            sample.plant(connection, folder, receiver_url)
        sample.let_in(connection, password)

    subscribed = listeners.subscribe_installed()
    database = open_database(uri)
    try:
        transact(database, work, note="demo: plant the sample")
    finally:
        database.close()
        for listener in subscribed:
            listeners.unsubscribe(listener)


def _folder_of(uri: str) -> Path:
    if uri.startswith("file://"):
        return Path(uri.removeprefix("file://").partition("?")[0]).absolute().parent
    return Path("var").absolute()


def _welcome(service: Service, config: Config, password: str) -> str:
    url, wanted = service.web.url, config.web.port
    lines = []
    if wanted and service.web.port != wanted:
        lines.append(f"Port {wanted} is taken: {service.web.port} is used instead.\n")
    programs = shlex.quote(_shown(Path(sys.executable).parent))
    scripts = shlex.quote(_shown(shipped("docs/examples") or Path("docs/examples")))
    where = (
        ""
        if _is_default(config.database)
        else f"  export {URI_VARIABLE}={shown_address(config.database)}\n"
    )
    folder = _shown(_folder_of(config.database) / FEED_FOLDER)
    lines.append(
        f"""Everything is running. Open
  {url}/   the console
  {url}/export/event/{sample.EVENT}.json?detail=contributions&pretty=yes   the sample event

The console is read-only until you log in: as {sample.OPERATOR}, with the password {password}

What changes is pushed as soon as it is committed: as JSON to a receiver that prints it here,
and as MARCXML into the folder {folder}

Try in a second terminal, in this folder:
{where}  {programs}/python {scripts}/enqueue_task.py   # a task, run at once
  {programs}/python {scripts}/change_event.py "A new title"   # a change: see it arrive here
  {programs}/indico_livesync list   # the track of changes
  {programs}/indico_scheduler show status

Ctrl-C ends it. Kill it as hard as you like: the next start goes on where this one was.
"""
    )
    return "\n".join(lines)


def _is_default(uri: str) -> bool:
    return uri == default_uri() and URI_VARIABLE not in os.environ


def _shown(path: Path) -> str:
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
