"""A further process of the front end: it answers for the export, and passes on all else.

`python -m daemon.web.further_process FD` reads its settings from standard input, logs to the pipe
FD, and ends by a signal or with the process that started it.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from multiprocessing.connection import Connection
from typing import Any

from daemon.config import Web
from daemon.web.allocation import use_one_arena
from daemon.web.export_part import export_part
from daemon.web.passing_on import PassingOn
from daemon.web.server import Application, WebServer
from export.settings import ExportSettings
from livesync.http.stream_places import end_streams
from scheduler.runtime import application
from scheduler.runtime.stop_signals import on_stop_signals
from scheduler.store import open_database
from scheduler.store.database_uri import URI_VARIABLE
from scheduler.worker.log_forwarding import forward_logs

READING = {"GET", "HEAD"}
EXPORT = ("/export/", "/api/")


def main(descriptor: str) -> None:
    """Answer requests until the end."""
    use_one_arena()
    told = json.loads(sys.stdin.readline())
    forward_logs(Connection(int(descriptor)).send, told["levels"])
    application.Application(*told["application"]).load()
    stop = threading.Event()
    threading.Thread(target=_stop_at_eof, args=(stop,), daemon=True).start()
    with on_stop_signals(lambda _: stop.set()), ExitStack() as stack:
        _serve(told, stack)
        stop.wait()


def is_answered_here(path: str) -> bool:
    """Say whether *path* is one of the export; its requests that write are passed on, too."""
    return path.startswith(EXPORT)


def shared(export: Application, daemon: Application) -> Application:
    """Return an application that reads from *export*; all else is for *daemon*.

    So the state that the daemon has in memory, as failed log-ins, is that of all processes.
    """

    def answer(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        is_here = is_answered_here(environ.get("PATH_INFO", ""))
        here = is_here and environ["REQUEST_METHOD"] in READING
        return (export if here else daemon)(environ, start)

    return answer


def _serve(told: dict[str, Any], stack: ExitStack) -> None:
    database = open_database(os.environ[URI_VARIABLE])
    stack.callback(database.close)
    export = export_part(database, ExportSettings.of(told["export"]))
    stack.callback(export.close)
    answering = shared(export, PassingOn(told["daemon"]))
    listening = socket.socket(fileno=told["listening"])
    server = WebServer(
        answering, Web(**told["web"]), lambda path: not is_answered_here(path), listening
    )
    stack.callback(server.close)
    stack.callback(end_streams, database)


def _stop_at_eof(stop: threading.Event) -> None:
    sys.stdin.read()
    stop.set()


if __name__ == "__main__":
    main(*sys.argv[1:])
