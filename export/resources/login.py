"""Sessions of browsers: `POST /api/login`, `POST /api/logout`, `GET /api/session`."""

from __future__ import annotations

import re
from typing import Any

from werkzeug.http import dump_cookie

from export.auth.browser_sessions import COOKIE, BrowserSession, csrf_token_of, sessions
from export.auth.caller import check_csrf_token, open_session
from export.auth.login_throttle import guesses_of
from export.errors import RefusedRequest
from export.http.request import ExportRequest
from export.http.result import Bare
from export.people.user import users
from export.settings import ExportSettings
from scheduler.store import current

LOGIN = re.compile(r"/api/login")
LOGOUT = re.compile(r"/api/logout")
SESSION = re.compile(r"/api/session")


def log_in(
    request: ExportRequest, match: re.Match[str], user: str | None, settings: ExportSettings
) -> Bare:
    """Begin a session for `username` and `password`; the cookie opens it.

    Raises RefusedRequest, TooManyGuesses.
    """
    if settings.https_required and not request.is_secure:
        raise RefusedRequest("HTTPS is required")
    name, password = request.take("username") or "", request.take("password") or ""
    guesses = guesses_of(current().db())
    guesses.admit(name, request.remote_address)
    with guesses.checking():
        known = users().authenticate(name, password)
    if known is None:
        raise RefusedRequest("Unknown user or wrong password")
    guesses.succeeded(name, request.remote_address)
    session, text = sessions().begin(known.id, known.password_stamp)
    return Bare(_told(session, text), {"Set-Cookie": _cookie(text, request)})


def log_out(
    request: ExportRequest, match: re.Match[str], user: str | None, settings: ExportSettings
) -> Bare:
    """End the session, for a page that shows its token. Raises RefusedRequest."""
    session = open_session(request)
    if session is not None:
        check_csrf_token(request)
        sessions().end(session)
    return Bare(None, {"Set-Cookie": _cookie("", request, max_age=0)})


def tell(
    request: ExportRequest, match: re.Match[str], user: str | None, settings: ExportSettings
) -> Bare:
    """Tell a page of this site who is logged in, and the token that it has to show."""
    session = open_session(request)
    cookie = request.cookies.get(COOKIE, "")
    return Bare(_told(session, cookie) if session is not None else None)


def _told(session: BrowserSession, cookie: str) -> dict[str, Any]:
    return {"user": session.user, "csrf_token": csrf_token_of(cookie)}


def _cookie(text: str, request: ExportRequest, max_age: int | None = None) -> str:
    return dump_cookie(
        COOKIE, text, max_age=max_age, httponly=True, secure=request.is_secure, samesite="Lax"
    )
