"""The log-in page, and the end of a session."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote

from werkzeug.exceptions import Forbidden
from werkzeug.wrappers import Request, Response
from ZODB import DB

from daemon.console import door
from daemon.console.answers import local_address
from daemon.errors import FieldFault


class LoginPage:
    """The page by which users of *database* begin and end their sessions; *render* draws it."""

    def __init__(self, database: DB, render: Callable[..., Response]) -> None:
        self._database = database
        self._render = render

    def log_in(self, request: Request) -> Response:
        """Show the form, or begin the session that it asks for."""
        wanted, fault = local_address(request.values.get("next", "/")), ""
        if request.method == "POST":
            _refuse_other_sites(request)
            try:
                text = door.log_in(self._database, request)
            except FieldFault as error:
                fault = str(error)
            else:
                response = Response(status=303, headers={"Location": wanted})
                door.give_cookie(response, request, text)
                return response
        facts = {"wrong": fault, "next": wanted, "login": request.form.get("login", "")}
        return self._render("login.html", facts, 422 if fault else 200)

    def log_out(self, request: Request) -> Response:
        """End the session."""
        door.check_token(request)
        door.log_out(self._database, request)
        response = Response(status=303, headers={"Location": "/login"})
        door.give_cookie(response, request, "")
        return response


def to_login(request: Request) -> Response:
    """Lead to the form, and from there to what was asked for; a script gets 401 instead."""
    if request.path == "/console/events" or request.headers.get("X-Live"):
        return Response("The session has ended.", status=401)
    wanted = request.full_path.rstrip("?") if request.method == "GET" else "/"
    address = "/login" if wanted == "/" else f"/login?next={quote(wanted)}"
    return Response(status=303, headers={"Location": address})


def _refuse_other_sites(request: Request) -> None:
    if request.headers.get("Sec-Fetch-Site", "none") not in ("same-origin", "none"):
        raise Forbidden("Log in on the page of this site")
