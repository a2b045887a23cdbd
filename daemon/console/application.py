"""The console as a WSGI application: it finds the page or action, and answers."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from werkzeug.exceptions import Forbidden, HTTPException, MethodNotAllowed, NotFound
from werkzeug.routing import Map, RequestRedirect, Rule
from werkzeug.wrappers import Request, Response
from ZODB import DB

from daemon.console.answers import PageAnswers
from daemon.console.door import LoginNeeded
from daemon.console.live import Live
from daemon.console.login import LoginPage, to_login
from daemon.console.page import Action, ConsolePage
from daemon.console.pages import ACTIONS, PAGES
from daemon.console.panel import Panel
from daemon.console.rendering import STATIC
from daemon.console.segment import CONVERTERS
from export.people.roles import Role
from scheduler.store.read_view import read_view

log = logging.getLogger(__name__)

LARGEST = 256 * 1024
"""Bytes of a form."""

HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        "img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
KINDS = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
UNSHOWN = "This cannot be shown now; /health and the log tell more.\n"


@dataclass(frozen=True)
class _Way:
    """The way back from an action's address, which the browser shows after bad input."""

    page: ConsolePage


class Console:
    """The pages of one database; *health* returns the fault of the daemon.

    *is_local* says whether the front end listens to this machine only, *panels* are further tables
    of the overview.
    """

    def __init__(
        self,
        database: DB,
        health: Callable[[], str] = str,
        *,
        is_local: bool = True,
        panels: Sequence[Panel] = (),
        pages: Sequence[ConsolePage] = PAGES,
        actions: Sequence[Action] = ACTIONS,
    ) -> None:
        self._database = database
        self._live = Live(database, health)
        self._answers = PageAnswers(
            database,
            health,
            is_local=is_local,
            navigation=[page for page in pages if page.label],
            panels=panels,
        )
        login = LoginPage(database, self._answers.rendered)
        rules = [
            *(Rule(page.path, endpoint=page, methods=["GET"]) for page in pages),
            *(Rule(action.path, endpoint=action, methods=["POST"]) for action in actions),
            *_ways_back(pages, actions),
            Rule("/login", endpoint=login.log_in, methods=["GET", "POST"]),
            Rule("/logout", endpoint=login.log_out, methods=["POST"]),
            Rule("/console/events", endpoint=self._events, methods=["GET"]),
            Rule("/console/<name>", endpoint=_static, methods=["GET"]),
        ]
        self._routes = Map(rules, merge_slashes=False, converters=CONVERTERS)
        self._places = {_first(rule.rule) for rule in rules}

    def owns(self, path: str) -> bool:
        """Say whether *path* is one of the console."""
        return _first(path) in self._places

    def close(self) -> None:
        """End the connections of browsers."""
        self._live.close()

    def __call__(self, environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        """Answer a request."""
        request = Request(environ)
        request.max_content_length = request.max_form_memory_size = LARGEST
        response = self._answer(request)
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        return response(environ, start)

    def _answer(self, request: Request) -> Response:
        try:
            return self._found(request)
        except LoginNeeded:
            return to_login(request)
        except RequestRedirect as redirect:
            return Response(status=308, headers={"Location": redirect.new_url})
        except HTTPException as error:
            return self._refusal(error)
        except Exception:
            log.exception("%s cannot be shown", request.path)
            return Response(UNSHOWN, status=503)

    def _found(self, request: Request) -> Response:
        routes = self._routes.bind_to_environ(request.environ)
        found, arguments = routes.match()
        if isinstance(found, ConsolePage):
            return self._answers.show(found, request, arguments)
        if isinstance(found, Action):
            return self._answers.act(found, request, arguments)
        if isinstance(found, _Way):
            page = routes.build(found.page, arguments, append_unknown=False)
            return Response(status=303, headers={"Location": page})
        answer: Callable[..., Response] = found
        return answer(request, **arguments)

    def _events(self, request: Request) -> Response:
        with read_view(self._database) as connection:
            if not self._answers.visit(connection, request, {}).may(Role.VIEWER):
                raise Forbidden
        events = self._live.events(request.args.get("seen", 0, type=int))
        if events is None:
            return Response("There are too many viewers: poll.\n", status=503)
        headers = {"X-Accel-Buffering": "no"}
        return Response(events, mimetype="text/event-stream", headers=headers)

    def _refusal(self, error: HTTPException) -> Response:
        facts = {"title": error.name, "text": error.description or ""}
        response = self._answers.rendered("refusal.html", facts, error.code or 500)
        if isinstance(error, MethodNotAllowed) and error.valid_methods:
            response.headers["Allow"] = ", ".join(sorted(error.valid_methods))
        return response


def _ways_back(pages: Sequence[ConsolePage], actions: Sequence[Action]) -> list[Rule]:
    taken = {page.path for page in pages}
    return [
        Rule(action.path, endpoint=_Way(action.page), methods=["GET"])
        for action in actions
        if action.path not in taken
    ]


def _static(request: Request, name: str) -> Response:
    kind = KINDS.get(name.rpartition(".")[2])
    if kind is None or name not in {file.name for file in STATIC.iterdir()}:
        raise NotFound("There is no such file")
    headers = {"Cache-Control": "public, max-age=31536000, immutable"}
    return Response((STATIC / name).read_bytes(), mimetype=kind, headers=headers)


def _first(path: str) -> str:
    return path.split("/", 2)[1] if path.startswith("/") else path
