"""The answers: a page that is shown, and a form that is carried out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from werkzeug.exceptions import Forbidden
from werkzeug.wrappers import Request, Response
from ZODB import DB
from ZODB.Connection import Connection

from daemon.console import door
from daemon.console.action_list import actions_of
from daemon.console.page import Action, ConsolePage, Done, Facts
from daemon.console.panel import Panel
from daemon.console.rendering import rendered
from daemon.console.visit import Visit
from daemon.errors import FieldFault
from scheduler.store import transact
from scheduler.store.overlay import snapshot_of
from scheduler.store.read_view import read_view

TOLD = "relay_told"
TOLD_SECONDS = 60
LONGEST_TOLD = 1000

Arguments = Mapping[str, Any]


class PageAnswers:
    """Answers for pages and actions on one database.

    *navigation* has the pages that each page leads to.
    """

    def __init__(
        self,
        database: DB,
        health: Callable[[], str],
        *,
        is_local: bool,
        navigation: Sequence[ConsolePage],
        panels: Sequence[Panel],
    ) -> None:
        self._database = database
        self._health = health
        self._is_local = is_local
        self._navigation = navigation
        self._panels = panels

    def visit(self, connection: Connection, request: Request, arguments: Arguments) -> Visit:
        """Return the visit of whoever asks. Raises LoginNeeded, Forbidden."""
        user, role = door.enter(connection, request, is_local=self._is_local)
        return Visit(
            request,
            self._database,
            connection,
            user,
            role,
            health=self._health,
            panels=self._panels,
            arguments=arguments,
        )

    def show(self, page: ConsolePage, request: Request, arguments: Arguments) -> Response:
        """Return *page*, with what the last action did. Raises LoginNeeded, HTTPException."""
        with read_view(self._database) as connection:
            visit = self.visit(connection, request, arguments)
            # A page that keeps up with the database may ask before the one that is to tell it.
            told = "" if "X-Live" in request.headers else unquote(request.cookies.get(TOLD, ""))
            response = self._page(page, visit.after(told=told, is_live=page.is_live))
        if told:
            response.delete_cookie(TOLD, httponly=True, samesite="Strict")
        return response

    def act(self, action: Action, request: Request, arguments: Arguments) -> Response:
        """Carry *action* out, and lead back to its page. Raises LoginNeeded, HTTPException."""
        try:
            done = self._perform(action, request, arguments)
        except FieldFault as fault:
            wrong = {"faults": {fault.field: str(fault)}}
            return self._again(action.page, request, arguments, 422, wrong)
        if done.secret:
            news = {"told": done.text, "secret": done.secret}
            return self._again(action.page, request, arguments, 200, news)
        response = Response(status=303, headers={"Location": done.next or _asked_from(request)})
        response.set_cookie(
            TOLD,
            quote(done.text[:LONGEST_TOLD]),
            max_age=TOLD_SECONDS,
            httponly=True,
            samesite="Strict",
        )
        return response

    def rendered(self, template: str, facts: Facts, status: int = 200) -> Response:
        """Return the page that *template* makes of *facts*."""
        common = {
            "navigation": self._navigation,
            "paths": {page.path for page in self._navigation},
            "fault": self._health(),
            **dict.fromkeys(("visit", "page", "user")),
        }
        return Response(rendered(template, {**common, **facts}), status, mimetype="text/html")

    def _page(self, page: ConsolePage, visit: Visit, status: int = 200) -> Response:
        if not visit.may(page):
            raise Forbidden(_refused(visit, page))
        own = {"visit": visit, "page": page, "user": visit.user}
        own["seen"] = snapshot_of(visit.connection)
        return self.rendered(page.template, {**page.facts(visit), **own}, status)

    def _again(
        self,
        page: ConsolePage,
        request: Request,
        arguments: Arguments,
        status: int,
        news: Mapping[str, Any],
    ) -> Response:
        """Return the page of a form that was sent, with what became of it."""
        with read_view(self._database) as connection:
            visit = self.visit(connection, request, arguments)
            return self._page(page, visit.after(**news), status)

    def _perform(self, action: Action, request: Request, arguments: Arguments) -> Done:
        def work(connection: Connection) -> Done:
            visit = self.visit(connection, request, arguments)
            if visit.user is None or not visit.may(action):
                raise Forbidden(_refused(visit, action))
            door.check_token(request)
            done = action.perform(visit)
            done = Done(done) if isinstance(done, str) else done
            login = visit.user.login
            actions_of(connection).note(login, action.name, done.text)
            unit = connection.transaction_manager.get()
            unit.user = login
            unit.note(f"console: {action.name}")
            return done

        return transact(self._database, work)


def local_address(address: str) -> str:
    """Return *address* if it is one of this site, else the overview's."""
    is_path = address.startswith("/") and address[1:2] not in ("/", "\\")
    return address if is_path and address.isprintable() else "/"


def _asked_from(request: Request) -> str:
    """Return the page that a form was on."""
    parts = urlsplit(request.headers.get("Referer", "/"))
    return local_address(f"{parts.path}?{parts.query}" if parts.query else parts.path)


def _refused(visit: Visit, what: ConsolePage | Action) -> str:
    if visit.user is None:
        return f"Nobody may act here before there is an admin: {door.MAKE_ADMIN}"
    return f"{visit.user.login} has the role {visit.role}, and this needs {what.role}"
