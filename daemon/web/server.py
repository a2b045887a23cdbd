"""The web front end: the export, the console, health and metrics, on one port."""

from __future__ import annotations

import errno
import logging
import socket
import time
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import waitress.server
from waitress import wasyncore

from daemon.config import Web
from daemon.errors import DaemonException
from daemon.web.accepting import AcceptPause
from daemon.web.bad_request import Channel
from daemon.web.client_limits import send_away
from daemon.web.metrics import CONTENT_TYPE as METRICS_TYPE
from daemon.web.probes import PATHS
from daemon.web.request_threads import RequestThreads
from daemon.web.shipped_docs import shipped
from scheduler.storage.outage import OF_FILES
from scheduler.values.legible import legible
from scheduler.values.own_version import DISTRIBUTION

log = logging.getLogger(__name__)

PORTS_TRIED = 20
LOOP_SECONDS = 1.0
LOOK_SECONDS = 0.2
OVER_LIMIT = 100
"""The number of connections accepted beyond the limit, until some are closed."""

LIMITS = {
    "max_request_header_size": 1280 * 1024,
    "max_request_body_size": 2 * 1024 * 1024,
    "outbuf_high_watermark": 256 * 1024 * 1024,
}
"""Bytes. The request limits exceed those of the export, so that the export itself names the part
that is too long. An answer up to the high watermark waits in a file for a slow client; only for a
larger one a thread waits, too."""

StartResponse = Callable[[str, list[tuple[str, str]]], Any]
Application = Callable[[dict[str, Any], StartResponse], Iterable[bytes]]


class ConsoleApplication(Protocol):
    """The console: an application that owns some of the addresses."""

    def owns(self, path: str) -> bool:
        """Say whether it answers at *path*."""

    def __call__(self, environ: dict[str, Any], start: StartResponse) -> Iterable[bytes]:
        """Answer a request."""


class NoConsole:
    """The answer at `/` where *package* is missing, which the console needs."""

    def __init__(self, package: str) -> None:
        self._text = f"the console is not shown here: {package} is missing: install {EXTRA}\n"

    def owns(self, path: str) -> bool:
        """Say whether *path* is the root."""
        return path == "/"

    def __call__(self, environ: dict[str, Any], start: StartResponse) -> Iterable[bytes]:
        """Tell what to install."""
        if environ["REQUEST_METHOD"] not in {"GET", "HEAD"}:
            return answer(start, "405 Method Not Allowed", "only GET\n", Allow="GET, HEAD")
        content = answer(start, "501 Not Implemented", self._text)
        return () if environ["REQUEST_METHOD"] == "HEAD" else content


EXTRA = f"{DISTRIBUTION}[console]"
NO_PROBES: Mapping[str, Callable[[], str]] = {}
UNSHOWN = "This cannot be shown now; /health and the log tell more.\n"
OWN = {"/health", "/metrics", *PATHS}
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
}


def front(
    export: Application,
    console: ConsoleApplication,
    health: Callable[[], str],
    metrics: Callable[[], str],
    database_fault: Callable[[], str] = str,
    probes: Mapping[str, Callable[[], str]] = NO_PROBES,
) -> Application:
    """Return the application that answers OWN, `/docs/` and the console, and passes on the rest.

    *health* returns the fault (empty if healthy), *metrics* the text for Prometheus. While
    *database_fault* returns a reason, console and metrics answer 503 with it. *probes* are what
    further paths answer as `/health` does.
    """
    asked = {"/health": health, **probes}

    def application(environ: dict[str, Any], start: StartResponse) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "") or "/"
        if console.owns(path):
            fault = database_fault()
            if fault:
                return answer(start, "503 Service Unavailable", f"{fault}\n")
            return console(environ, start)
        if path not in OWN and not path.startswith("/docs/"):
            return export(environ, start)
        content = own(path, environ["REQUEST_METHOD"], start)
        return () if environ["REQUEST_METHOD"] == "HEAD" else content

    def own(path: str, method: str, start: StartResponse) -> Iterable[bytes]:
        if method not in {"GET", "HEAD"}:
            return answer(start, "405 Method Not Allowed", "only GET\n", Allow="GET, HEAD")
        if path in asked:
            fault = asked[path]()
            status = "503 Service Unavailable" if fault else "200 OK"
            return answer(start, status, f"{fault or 'ok'}\n")
        if path.startswith("/docs/"):
            return _document(start, path.removeprefix("/docs/"))
        fault = database_fault()
        if fault:
            return answer(start, "503 Service Unavailable", f"{fault}\n")
        try:
            text = metrics()
        except Exception:
            log.exception("%s cannot be shown", path)
            return answer(start, "503 Service Unavailable", UNSHOWN)
        return answer(start, "200 OK", text, METRICS_TYPE)

    return application


class WebServer:
    """A server of *application* in threads of this process, until it is closed.

    Paths that *is_console* says are of the console have threads of their own.

    It accepts connections of *listening*, a socket, or of one that it binds: raises
    DaemonException if the port and those behind it are taken.
    """

    def __init__(
        self,
        application: Application,
        settings: Web,
        is_console: Callable[[str], bool] = lambda path: False,
        listening: socket.socket | None = None,
    ) -> None:
        self._threads = RequestThreads(self._look, self._wake, settings.threads, OWN, is_console)
        self._map: dict[int, Any] = {}
        self._due = 0.0
        self._settings = settings
        if listening is None:
            self._server = self._bind(application, settings)
            self.port = int(self._server.effective_port)
        else:
            self._server, self.port = self._open(application, settings, sockets=[listening]), 0
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        self.url = f"http://{host}:{self.port}"
        self._threads.start()

    def close(self) -> None:
        """Stop listening, let the requests at work end, and close what is open."""
        self._threads.shutdown()
        wasyncore.close_all(self._map, ignore_all=True)

    @property
    def listening(self) -> socket.socket:
        """The socket on which it accepts connections, for other processes to do so, too."""
        found: socket.socket = self._server.socket
        return found

    def _look(self, waits: bool) -> None:
        """Read and send what can be read and sent now; *waits* for that, if there is nothing."""
        timeout = LOOP_SECONDS if waits else 0
        wasyncore.loop(timeout=timeout, map=self._map, use_poll=True, count=1)
        if time.monotonic() >= self._due:
            send_away(self._map, self._settings)
            self._due = time.monotonic() + LOOK_SECONDS

    def _wake(self) -> None:
        """Wake the thread at the loop, unless it is the present one."""
        if not self._threads.is_at_loop():
            self._server.trigger.pull_trigger()

    def _bind(self, application: Application, settings: Web) -> Any:
        last = min(settings.port + PORTS_TRIED, 65535) if settings.port else 0
        for port in range(settings.port, last + 1):
            try:
                server = self._open(application, settings, host=settings.host, port=port)
            except OSError as error:
                wasyncore.close_all(self._map, ignore_all=True)
                if error.errno in OF_FILES:
                    raise
                if error.errno != errno.EADDRINUSE:
                    raise DaemonException(
                        f"cannot listen on {settings.host} port {port}: {error.strerror or error}; "
                        "set another host or port in [web]"
                    ) from error
            else:
                if port != settings.port:
                    log.warning("port %d is taken: port %d is used", settings.port, port)
                return server
        raise DaemonException(
            f"the ports {settings.port} to {last} of {settings.host} are taken: set another one "
            "as port in [web]"
        )

    def _open(self, application: Application, settings: Web, **where: Any) -> Any:
        """Return a server that listens *where*. Raises OSError."""
        server = waitress.server.create_server(
            application,
            map=self._map,
            _dispatcher=self._threads,
            ident=None,
            # More are accepted, and then some closed: a listener that waits for
            # places would leave all places to idle clients.
            connection_limit=settings.connections + OVER_LIMIT,
            **where,
            **LIMITS,
            **_proxy(settings),
        )
        for listening in self._map.values():
            if isinstance(listening, waitress.server.BaseWSGIServer):
                listening.channel_class = Channel
                listening.pull_trigger = self._wake
                AcceptPause(listening)
        return server


def _proxy(settings: Web) -> dict[str, Any]:
    if not settings.trusted_proxy:
        return {}
    return {
        "trusted_proxy": settings.trusted_proxy,
        "trusted_proxy_headers": {"x-forwarded-for", "x-forwarded-proto"},
    }


def _document(start: StartResponse, name: str) -> Iterable[bytes]:
    file = _documents().get(name)
    if file is None:
        return answer(start, "404 Not Found", "there is no such document\n")
    if file.suffix == ".png":
        start("200 OK", [("Content-Type", "image/png"), *HEADERS.items()])
        return [file.read_bytes()]
    return answer(start, "200 OK", file.read_text(encoding="utf-8"))


@cache
def _documents() -> dict[str, Path]:
    """Return the shipped documents and their pictures by their names in addresses."""
    folder = shipped("docs")
    found = (*folder.rglob("*.md"), *folder.glob("*.png")) if folder else ()
    return {file.relative_to(folder).as_posix(): file for file in found if folder}


def answer(
    start: StartResponse, status: str, text: str, kind: str = "text/plain", **headers: str
) -> Iterable[bytes]:
    """Answer with *text*."""
    body = legible(text).encode()
    start(
        status,
        [
            ("Content-Type", f"{kind}; charset=utf-8"),
            ("Content-Length", str(len(body))),
            *HEADERS.items(),
            *headers.items(),
        ],
    )
    return [body]
