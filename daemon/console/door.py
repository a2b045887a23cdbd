"""The door: who is let in, and who has to log in first."""

from __future__ import annotations

from werkzeug.exceptions import Forbidden
from werkzeug.wrappers import Request, Response
from ZODB import DB
from ZODB.Connection import Connection

from daemon.console.loopback import asks_itself
from daemon.errors import DaemonException, FieldFault
from export.auth.browser_sessions import COOKIE, csrf_token_of, sessions
from export.auth.caller import open_session
from export.auth.login_throttle import guesses_of
from export.errors import TooManyGuesses
from export.http.request import ExportRequest
from export.people.roles import Role, roles
from export.people.secret import is_same
from export.people.user import Avatar, users
from scheduler.store import transact
from scheduler.store.read_view import read_view

MAKE_ADMIN = "indico_export user create NAME --role admin --password"
CLOSED = (
    "The console is shown to nobody yet, because it can be reached from other machines, or is "
    f"asked by another name than localhost. Make the first admin, who can log in: {MAKE_ADMIN}"
)
STALE = "The page was of a session that has ended: load it again, and log in if need be"


class LoginNeeded(DaemonException):
    """Somebody has to log in first."""


def enter(
    connection: Connection, request: Request, *, is_local: bool
) -> tuple[Avatar | None, Role]:
    """Return who asks, None before there was an admin, and their role.

    Raises LoginNeeded, and Forbidden before there was an admin for all that comes from elsewhere
    than this machine.
    """
    session = open_session(ExportRequest(request))
    user = users(connection).find(session.user) if session is not None else None
    known = roles(connection)
    role = known.of(user.id) if user is not None else Role.NONE
    if not known.is_guarded and is_local and asks_itself(request):
        return user, max(role, Role.VIEWER)
    if user is None:
        raise LoginNeeded if known.is_guarded else Forbidden(CLOSED)
    return user, role


def check_token(request: Request) -> None:
    """See that the form comes from a page of the session. Raises Forbidden."""
    cookie = request.cookies.get(COOKIE, "")
    if not is_same(request.form.get("csrf_token", ""), csrf_token_of(cookie)):
        raise Forbidden(STALE)


def log_in(database: DB, request: Request) -> str:
    """Begin a session for the fields `login` and `password`; return the text of its cookie.

    Raises FieldFault for wrong ones, and where there were too many guesses.
    """
    name, password = request.form.get("login", ""), request.form.get("password", "")
    guesses, address = guesses_of(database), request.remote_addr or ""
    try:
        guesses.admit(name, address)
        with guesses.checking(), read_view(database) as connection:
            user = users(connection).authenticate(name, password)
            known = None if user is None else (user.id, user.password_stamp)
    except TooManyGuesses as error:
        raise FieldFault("password", str(error)) from None
    if known is None:
        raise FieldFault("password", "There is no such user, or this is not their password")
    guesses.succeeded(name, address)
    return transact(
        database, lambda found: sessions(found).begin(*known)[1], note="console: log in"
    )


def log_out(database: DB, request: Request) -> None:
    """End the session, if there is one."""

    def end(connection: Connection) -> None:
        session = open_session(ExportRequest(request))
        if session is not None:
            sessions(connection).end(session)

    transact(database, end, note="console: log out")


def give_cookie(response: Response, request: Request, text: str) -> None:
    """Have the browser keep the session's cookie, or forget it if *text* is empty."""
    response.set_cookie(
        COOKIE,
        text,
        max_age=None if text else 0,
        httponly=True,
        secure=request.is_secure,
        samesite="Strict",
    )
