"""The origin of a task: the user, request, host and task from which it was enqueued."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Any, NamedTuple

from ZODB.Connection import Connection

from scheduler.runtime.context import current_run

USER_KEPT = 100
REQUEST_KEPT = 200


class Origin(NamedTuple):
    """The origin of a task; what is not known is empty."""

    host: str = ""
    task: int = 0
    """The number of the task whose attempt enqueued it, or that it follows in a chain."""

    user: str = ""
    request: str = ""
    """The method and path of the request, without its query."""

    def packed(self) -> tuple[str | int, ...]:
        """Return it as a small tuple, as it is stored."""
        fields = (self.host, self.task, self.user[:USER_KEPT], self.request[:REQUEST_KEPT])
        known = max((at for at, each in enumerate(fields, 1) if each), default=0)
        return fields[:known]

    def facts(self) -> dict[str, str | int]:
        """Return what is known, by name."""
        return {name: value for name, value in self._asdict().items() if value}


_given: ContextVar[Origin | None] = ContextVar("origin", default=None)


@contextmanager
def enqueued_by(user: str = "", request: str = "", task: int = 0) -> Iterator[None]:
    """Note with the tasks that are enqueued inside the block from which user or request they are.

    Blocks may stand in each other: the inner one tells what it knows. *request* is its method and
    path, as in "POST /orders".
    """
    outer = _given.get() or Origin()
    given = Origin("", task or outer.task, user or outer.user, request or outer.request)
    token = _given.set(given)
    try:
        yield
    finally:
        _given.reset(token)


def naming_requests(application: Callable[..., Any]) -> Callable[..., Any]:
    """Return the WSGI *application* such that tasks of its requests bear request and user.

    The user is REMOTE_USER, which the server or an earlier middleware sets.
    """

    def named(environ: Mapping[str, Any], start_response: Any) -> Any:
        path = f"{environ.get('SCRIPT_NAME', '')}{environ.get('PATH_INFO', '')}"
        request = f"{environ.get('REQUEST_METHOD', '')} {path}"
        with enqueued_by(user=environ.get("REMOTE_USER") or "", request=request):
            return application(environ, start_response)

    return named


def present_origin(connection: Connection) -> Origin:
    """Return the origin of what is enqueued now, in the current transaction of *connection*.

    The user is that of the transaction where no other is given.
    """
    given, run = _given.get() or Origin(), current_run()
    task = given.task or (0 if run is None else run.claim.tid)
    user = given.user or connection.transaction_manager.get().user.removeprefix("/ ").strip()
    return Origin(_host(), task, user, given.request)


@cache
def _host() -> str:
    return socket.gethostname()
