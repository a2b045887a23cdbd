"""Whom a request acts as: by a token, a key with or without a signature, or a session."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from export.errors import (
    InsufficientScope,
    InvalidToken,
    RefusedRequest,
    TokenNeeded,
)
from export.keys import ApiKey, key_ring
from export.model.user import users
from export.request import ExportRequest
from export.secret import is_same
from export.sessions import COOKIE, Session, sessions
from export.settings import ApiMode, Settings
from export.signature import is_signed
from export.tokens import tokens
from export.usage import Owner
from scheduler.clock import nowutc

READING = {"GET", "HEAD"}
KEY_NEEDED = {ApiMode.ONLYKEY, ApiMode.ONLYKEY_SIGNED, ApiMode.ALL_SIGNED}
KEY_ENOUGH = {ApiMode.KEY, ApiMode.ONLYKEY}


@dataclass(frozen=True)
class Caller:
    """Whom a request acts as, None for what is public only; and the key or token it showed."""

    user: str | None
    credential: Owner | None = None


def classic(request: ExportRequest, settings: Settings, scopes: AbstractSet[str]) -> Caller:
    """Return who calls the classic API: by a token, a key, or a session (reference 5.1.2).

    What is shown first in this order counts, and nothing is fallen back to where it is wrong.
    Raises RefusedRequest, InvalidToken, InsufficientScope.
    """
    only_public = request.take_flag("op", "onlypublic")
    only_authed = request.take_flag("oa", "onlyauthed")
    caller = _by_token(request.bearer_token, scopes)
    if caller is None:
        caller = _by_session(request) or _by_key(request, settings)
    if only_public:
        caller = Caller(None, caller.credential)
    _check_connection(request, settings, caller)
    if only_authed and caller.user is None:
        raise RefusedRequest("Not authenticated")
    return caller


def modern(request: ExportRequest, settings: Settings, scopes: AbstractSet[str]) -> Caller:
    """Return who calls something newer: by a token, or to read by a session; or somebody unknown.

    Raises InvalidToken, InsufficientScope, RefusedRequest.
    """
    caller = _by_token(request.bearer_token, scopes)
    if caller is None:
        session = open_session(request) if request.method in READING else None
        caller = Caller(session.user if session is not None else None)
    _check_connection(request, settings, caller)
    return caller


def token_only(request: ExportRequest, settings: Settings, scopes: AbstractSet[str]) -> Caller:
    """Return who calls with a token, in the header or as `access_token` of the address.

    Raises TokenNeeded without one, InvalidToken, InsufficientScope, RefusedRequest.
    """
    text = request.bearer_token
    caller = _by_token(request.access_token if text is None else text, scopes)
    if caller is None:
        raise TokenNeeded
    _check_connection(request, settings, caller)
    return caller


def anybody(request: ExportRequest, settings: Settings, scopes: AbstractSet[str]) -> Caller:
    """Return somebody unknown; what is asked for looks at the request itself."""
    return Caller(None)


def open_session(request: ExportRequest) -> Session | None:
    """Return the session that the request's cookie opens, or None."""
    cookie = request.cookies.get(COOKIE)
    session = sessions().find(cookie) if cookie else None
    return session if session is not None and not users().is_shut_out(session.user) else None


def check_csrf_token(request: ExportRequest, session: Session) -> None:
    """See that a page of this site asks. Raises RefusedRequest."""
    if not is_same(request.csrf_token, session.csrf_token):
        raise RefusedRequest("Invalid CSRF token")


def _by_token(text: str | None, scopes: AbstractSet[str]) -> Caller | None:
    if text is None:
        return None
    token = tokens().find(text)
    if token is None or not token.is_valid or users().is_shut_out(token.user):
        raise InvalidToken
    if not scopes & token.scopes:
        raise InsufficientScope(scopes)
    return Caller(token.user, (tokens, token.digest))


def _by_session(request: ExportRequest) -> Caller | None:
    if request.take("ak", "apikey") or not request.take_flag("ca", "cookieauth"):
        return None
    if request.method not in READING:
        raise RefusedRequest("cookieauth is for GET only")
    session = open_session(request)
    if session is None:
        return None
    check_csrf_token(request, session)
    return Caller(session.user)


def _by_key(request: ExportRequest, settings: Settings) -> Caller:
    text = request.take("ak", "apikey")
    signature = request.take("signature")
    timestamp = request.take_integer("timestamp")
    if not text:
        if settings.api_mode in KEY_NEEDED:
            raise RefusedRequest("API key is missing")
        return Caller(None)
    key = _valid_key(text)
    if signature:
        _check_signature(request, settings, key, signature, timestamp)
    elif settings.api_mode is ApiMode.ALL_SIGNED:
        raise RefusedRequest("Signature missing")
    is_enough = bool(signature) or settings.api_mode in KEY_ENOUGH
    return Caller(key.user if is_enough else None, (key_ring, key.digest))


def _valid_key(text: str) -> ApiKey:
    key = key_ring().find(text)
    if key is None:
        raise RefusedRequest("Invalid API key")
    if key.blocked or users().is_shut_out(key.user):
        raise RefusedRequest("API key is blocked")
    return key


def _check_signature(
    request: ExportRequest, settings: Settings, key: ApiKey, signature: str, timestamp: int
) -> None:
    if timestamp:
        if abs(timestamp - nowutc().timestamp()) > settings.signature_ttl:
            raise RefusedRequest("Signature invalid (bad timestamp)")
    elif not (key.persistent_allowed and settings.persistent_signatures):
        raise RefusedRequest("Signature invalid (no timestamp)")
    if not is_signed(request.path, request.query, key.secret, signature):
        raise RefusedRequest("Signature invalid")


def _check_connection(request: ExportRequest, settings: Settings, caller: Caller) -> None:
    if caller.user is not None and settings.https_required and not request.is_secure:
        raise RefusedRequest("HTTPS is required")
