"""Sessions of browsers: `POST /api/login`, `POST /api/logout`, `GET /api/session`."""

from __future__ import annotations

from typing import Any

from werkzeug.http import dump_cookie

from export.auth.browser_sessions import COOKIE, BrowserSession, csrf_token_of, sessions
from export.auth.caller import anybody, check_csrf_token, open_session
from export.auth.login_throttle import guesses_of
from export.errors import RefusedRequest
from export.http.parameter import Parameter
from export.http.question import Question
from export.http.request import ExportRequest
from export.http.result import Bare
from export.people.user import users
from export.resource import Resource, modern_refusal
from scheduler.store import current

USERNAME = Parameter("username", "The name that the user logs in with.")
PASSWORD = Parameter("password", "The user's password.")


def log_in(question: Question) -> Bare:
    """Begin a session for `username` and `password`; the cookie opens it.

    Too many guesses are refused for a while.
    """
    request, settings = question.request, question.settings
    if settings.https_required and not request.is_secure:
        raise RefusedRequest("HTTPS is required")
    name, password = USERNAME.of(request) or "", PASSWORD.of(request) or ""
    guesses = guesses_of(current().db())
    guesses.admit(name, request.remote_address)
    with guesses.checking():
        known = users().authenticate(name, password)
    if known is None:
        raise RefusedRequest("Unknown user or wrong password")
    guesses.succeeded(name, request.remote_address)
    session, text = sessions().begin(known.id, known.password_stamp)
    return Bare(_session_facts(session, text), {"Set-Cookie": _cookie(text, request)})


def log_out(question: Question) -> Bare:
    """End the session, for a page that shows its token."""
    request = question.request
    session = open_session(request)
    if session is not None:
        check_csrf_token(request)
        sessions().end(session)
    return Bare(None, {"Set-Cookie": _cookie("", request, max_age=0)})


def tell(question: Question) -> Bare:
    """Tell a page of this site who is logged in, and the token that it has to show."""
    session = open_session(question.request)
    cookie = question.request.cookies.get(COOKIE, "")
    return Bare(_session_facts(session, cookie) if session is not None else None)


def _session_facts(session: BrowserSession, cookie: str) -> dict[str, Any]:
    return {"user": session.user, "csrf_token": csrf_token_of(cookie)}


def _cookie(text: str, request: ExportRequest, max_age: int | None = None) -> str:
    return dump_cookie(
        COOKIE, text, max_age=max_age, httponly=True, secure=request.is_secure, samesite="Lax"
    )


SESSION = Resource("session", ("/api/session",), tell, door=anybody, refusal=modern_refusal)
LOGIN = Resource(
    "login",
    ("/api/login",),
    log_in,
    method="POST",
    door=anybody,
    refusal=modern_refusal,
    parameters=(USERNAME, PASSWORD),
)
LOGOUT = Resource(
    "logout", ("/api/logout",), log_out, method="POST", door=anybody, refusal=modern_refusal
)
