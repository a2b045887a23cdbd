"""Passing on: requests that a further process of the front end hands to the daemon."""

from __future__ import annotations

import http.client
import logging
import socket
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from urllib.parse import quote

from daemon.web.server import answer

log = logging.getLogger(__name__)

CHUNK = 64 * 1024
HOP_BY_HOP = {
    *("connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer"),
    *("transfer-encoding", "upgrade", "x-forwarded-for", "x-forwarded-proto"),
}
"""Headers of one connection, and those by which the daemon is told who asks."""


class DaemonConnection(http.client.HTTPConnection):
    """A connection to the daemon, which listens at *path*."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost")
        self._path = path

    def connect(self) -> None:
        """Connect. Raises OSError while nobody listens there."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self._path)


class PassingOn:
    """A WSGI application that answers what the daemon, listening at *path*, answers."""

    def __init__(self, path: str) -> None:
        self._path = path

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        """Answer one request (WSGI)."""
        connection = DaemonConnection(self._path)
        try:
            _send(connection, environ)
            response = connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            log.warning("%s cannot be passed on: %s", environ.get("PATH_INFO"), error)
            return answer(start, "503 Service Unavailable", "the daemon does not answer\n")
        headers = [pair for pair in response.getheaders() if pair[0].lower() not in HOP_BY_HOP]
        start(f"{response.status} {response.reason}", headers)
        return _content(connection, response)


def _send(connection: DaemonConnection, environ: dict[str, Any]) -> None:
    path = quote(environ.get("PATH_INFO", "/").encode("latin-1"))
    query = environ.get("QUERY_STRING", "")
    target = environ.get("REQUEST_URI") or (f"{path}?{query}" if query else path)
    connection.putrequest(
        environ["REQUEST_METHOD"], target, skip_host=True, skip_accept_encoding=True
    )
    for name, value in _headers(environ):
        connection.putheader(name, value.encode("latin-1"))
    length = int(environ.get("CONTENT_LENGTH") or 0)
    connection.endheaders(environ["wsgi.input"].read(length) if length else None)


def _headers(environ: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for key, value in environ.items():
        name = key.removeprefix("HTTP_").replace("_", "-")
        is_header = key.startswith("HTTP_") or key in {"CONTENT_TYPE", "CONTENT_LENGTH"}
        if is_header and value and name.lower() not in HOP_BY_HOP:
            yield name, value
    address = environ.get("REMOTE_ADDR", "")
    yield "X-Forwarded-For", f"[{address}]" if ":" in address else address
    yield "X-Forwarded-Proto", environ["wsgi.url_scheme"]


def _content(connection: DaemonConnection, response: http.client.HTTPResponse) -> Iterator[bytes]:
    try:
        while chunk := response.read1(CHUNK):
            yield chunk
    finally:
        response.close()
        connection.close()
