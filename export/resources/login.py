"""Sessions of browsers: `POST /api/login`, `POST /api/logout`, `GET /api/session`."""

from __future__ import annotations

import re
from typing import Any

from werkzeug.http import dump_cookie

from export.auth import check_csrf_token, open_session
from export.errors import RefusedRequest
from export.model.user import users
from export.request import ExportRequest
from export.result import Bare
from export.sessions import COOKIE, Session, sessions
from export.settings import Settings

LOGIN = re.compile(r"/api/login")
LOGOUT = re.compile(r"/api/logout")
SESSION = re.compile(r"/api/session")


def log_in(
    request: ExportRequest, match: re.Match[str], user: str | None, settings: Settings
) -> Bare:
    """Begin a session for `username` and `password`; the cookie opens it.

    Raises RefusedRequest.
    """
    if settings.https_required and not request.is_secure:
        raise RefusedRequest("HTTPS is required")
    known = users().authenticate(request.take("username") or "", request.take("password") or "")
    if known is None:
        raise RefusedRequest("Unknown user or wrong password")
    session, text = sessions().begin(known.id)
    return Bare(_told(session), {"Set-Cookie": _cookie(text, request)})


def log_out(
    request: ExportRequest, match: re.Match[str], user: str | None, settings: Settings
) -> Bare:
    """End the session, for a page that shows its token. Raises RefusedRequest."""
    session = open_session(request)
    if session is not None:
        check_csrf_token(request, session)
        sessions().end(session)
    return Bare(None, {"Set-Cookie": _cookie("", request, max_age=0)})


def tell(
    request: ExportRequest, match: re.Match[str], user: str | None, settings: Settings
) -> Bare:
    """Tell a page of this site who is logged in, and the token that it has to show."""
    session = open_session(request)
    return Bare(_told(session) if session is not None else None)


def _told(session: Session) -> dict[str, Any]:
    return {"user": session.user, "csrf_token": session.csrf_token}


def _cookie(text: str, request: ExportRequest, max_age: int | None = None) -> str:
    return dump_cookie(
        COOKIE, text, max_age=max_age, httponly=True, secure=request.is_secure, samesite="Lax"
    )
