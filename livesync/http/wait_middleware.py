"""WSGI middleware: a request with `after=TOKEN` waits until an agent has delivered it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from typing import Any, Protocol
from urllib.parse import parse_qs

from werkzeug.wrappers import Request
from ZODB import DB
from ZODB.Connection import Connection

from export.answers.reply import Reply
from export.errors import GonePosition, MalformedRequest, RequestException, ServiceUnavailable
from export.http.request import ExportRequest
from livesync.errors import TokenException, TokenGoneException, UnknownAgentException
from livesync.feed.delivery_waits import WaitToken, transaction_of
from livesync.feed.manager import SyncManager
from scheduler.store.commit_signal import CommitSignal
from scheduler.store.history import is_lost
from scheduler.store.overlay import snapshot_of
from scheduler.store.position import is_token, token_of
from scheduler.store.read_view import read_view

PARAMETER = "after"
LONGEST_WAIT = 10.0
WAITING_AT_ONCE = 2
RETRY_AFTER = "1"

StartResponse = Callable[..., Any]


class ClosableApplication(Protocol):
    """A WSGI application that is closed at the end."""

    def __call__(self, environ: dict[str, Any], start: StartResponse, /) -> Iterable[bytes]:
        """Answer one request."""

    def close(self) -> None:
        """Write what is still to be written."""


class WaitMiddleware:
    """A WSGI application that lets requests pass to *application* when they may.

    A request with the parameter `after=AGENT:POSITION` waits until the agent has delivered the
    transaction of the position; with `after=POSITION` until it is seen here. It is refused with
    400 if there is no such token or agent, with 410 if the database has lost the transaction, and
    with 503 and a `Retry-After` after 10 seconds, or at once where as many others wait as may
    without keeping the server from other requests.
    """

    def __init__(self, application: ClosableApplication, database: DB) -> None:
        self._application = application
        self._database = database
        self._places = threading.BoundedSemaphore(WAITING_AT_ONCE)

    def __call__(self, environ: dict[str, Any], start: StartResponse) -> Iterable[bytes]:
        """Answer one request (WSGI)."""
        query = environ.get("QUERY_STRING", "")
        if PARAMETER + "=" not in query:
            return self._application(environ, start)
        values = parse_qs(query, errors="replace").get(PARAMETER)
        if values is None:
            return self._application(environ, start)
        try:
            is_there = self._wait(values[-1])
        except TokenGoneException as error:
            return _refuse(environ, start, GonePosition(str(error), self._newest()))
        except TokenException as error:
            return _refuse(environ, start, MalformedRequest(str(error)))
        except UnknownAgentException:
            # Which agents there are is nobody's business out there.
            return _refuse(environ, start, MalformedRequest(f"{values[-1]!r} names no agent"))
        if not is_there:
            agent_id = values[-1].rpartition(":")[0]
            message = (
                f"Agent '{agent_id}' has not delivered this yet"
                if agent_id
                else "The position is not seen here yet"
            )
            later = ServiceUnavailable(message, {"Retry-After": RETRY_AFTER})
            return _refuse(environ, start, later)
        return self._application(environ, start)

    def close(self) -> None:
        """Close the application."""
        self._application.close()

    def _newest(self) -> str:
        with read_view(self._database) as connection:
            return token_of(connection)

    def _wait(self, text: str) -> bool:
        with read_view(self._database) as connection:
            is_there = _condition(text, connection)
            if is_there():
                return True
            if not self._places.acquire(blocking=False):
                return False
            begin = connection.transaction_manager.begin
            try:
                return self._wait_for(lambda: (begin(), is_there())[1])
            finally:
                self._places.release()

    def _wait_for(self, condition: Callable[[], bool]) -> bool:
        wake = CommitSignal(self._database)
        deadline = time.monotonic() + LONGEST_WAIT
        try:
            while not condition():
                rest = deadline - time.monotonic()
                if rest <= 0:
                    return False
                wake.wait(rest)
        finally:
            wake.close()
        return True


def _condition(text: str, connection: Connection) -> Callable[[], bool]:
    """Return what says whether what *text* stands for is there. Raises TokenException."""
    if is_token(text):
        tid = transaction_of(text, connection)
        if is_lost(connection.db(), tid) and tid <= snapshot_of(connection):
            raise TokenGoneException("the position is not in the database: a backup was put back")
        return lambda: snapshot_of(connection) >= tid
    token = WaitToken.read(text, connection)
    sync = SyncManager.getDBInstance(connection)
    return lambda: sync.isDelivered(token)


def _refuse(
    environ: dict[str, Any], start: StartResponse, error: RequestException
) -> Iterable[bytes]:
    """Return what tells *error* in the form that the caller asks for."""
    return Reply(ExportRequest(Request(environ))).refuse(error)(environ, start)
